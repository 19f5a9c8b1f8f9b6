// npm's @huggingface/jinja, speaking the lines of driver.cpp.
import { createInterface } from "node:readline";
import { Template } from "@huggingface/jinja";

const clock = new Date(2024, 6, 26, 13, 5, 9);

// strftime_now is built in there and reads the system's clock: a fixed one makes answers comparable.
globalThis.Date = class extends Date {
  constructor(...args) {
    super(...(args.length ? args : [clock.getTime()]));
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = { output: new Template(request.template).render(request.context) };
  } catch (error) {
    answer = { error: String(error.message) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
