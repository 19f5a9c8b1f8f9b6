// llama.cpp behind the few lines of HTTP that an OpenAI-compatible server has: server.mjs MODEL [FAULT].
// FAULT: what the server does to prompts: "none", "chat" (wraps them in ChatML), "eos" (appends EOS), "space" (newlines become
// spaces), "bos" (no BOS), "template" (User: ... Assistant:). Prints its port.
import http from "node:http";
import {Peer} from "../parity/llama_cpp.mjs";

const [file, fault = "none"] = process.argv.slice(2);
const peer = await Peer.load(file, {n_ctx: 512, flash_attention: false});
const facts = peer.facts();

const rewrite = {
  chat: (p) => `<|im_start|>user\n${p}<|im_end|>\n<|im_start|>assistant\n`,
  template: (p) => `User: ${p}\nAssistant:`,
  space: (p) => p.replace(/[\n\t\r]/g, " "),
};
const edit = {
  eos: (ids) => [...ids, facts.eos],
  bos: (ids) => ids.slice(1),
};

async function complete({prompt, logprobs}) {
  const ids = peer.tokenizeWhole((rewrite[fault] ?? ((p) => p))(prompt), true);
  const [row] = await peer.logits((edit[fault] ?? ((x) => x))(ids), true);
  const top = Math.max(...row);
  const total = row.reduce((sum, x) => sum + Math.exp(x - top), 0);
  const best = [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, logprobs);
  const alternatives = best.map((id) => ({id, token: peer.detokenize([id], true), logprob: row[id] - top - Math.log(total)}));
  return {choices: [{text: alternatives[0].token, logprobs: {content: [{...alternatives[0], top_logprobs: alternatives}]}}]};
}

const server = http.createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const answer = (status, json) => response.writeHead(status, {"Content-Type": "application/json"}).end(JSON.stringify(json));
  if (request.url !== "/v1/completions") return answer(404, {error: {message: "File Not Found"}});
  try {
    answer(200, await complete(JSON.parse(body)));
  } catch (error) {
    answer(500, {error: {message: error.message}});
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit(0));  // with whoever started it
