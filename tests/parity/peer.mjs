// llama.cpp behind a pipe: one JSON request a line in, one JSON answer a line out ({"error": ...} when it fails).
//   {"op":"describe"}                                  release and CPU features of the llama.cpp in use
//   {"op":"load","model":FILE, ...options}             options of Peer.load in llama_cpp.mjs; replaces the model before
//   {"op":"tokenize","text":T,"special":true}          {"ids"}
//   {"op":"detokenize","ids":[...],"special":true}     {"text"}
//   {"op":"greedy","ids":[...],"n":100}                {"ids"}
//   {"op":"logits","ids":[...],"last_only":false}      {"rows", "vocab_size", "f32": base64 of little-endian floats}
//   {"op":"perplexity","ids":[...]}  or "text_file"    {"perplexity","nll","n_scored"}, chunks of the context's length
//   {"op":"bench","n_prompt":512,"n_gen":64,"depth":0,"repeats":3}
//   {"op":"template","template":T,"values":{...}}      {"text"}
import fs from "node:fs";
import readline from "node:readline";
import {describe, Peer, renderTemplate} from "./llama_cpp.mjs";

let peer = null;
const operations = {
  describe,
  async load({model, ...options}) {
    await peer?.close();
    peer = null;
    peer = await Peer.load(model, options);
    return peer.facts();
  },
  tokenize: ({text, special = true}) => ({ids: peer.tokenize(text, special)}),
  detokenize: ({ids, special = true}) => ({text: peer.detokenize(ids, special)}),
  greedy: async ({ids, n}) => ({ids: await peer.greedy(ids, n)}),
  async logits({ids, last_only = false}) {
    const rows = await peer.logits(ids, last_only);
    const bytes = Buffer.concat(rows.map((row) => Buffer.from(row.buffer)));
    return {rows: rows.length, vocab_size: rows[0].length, f32: bytes.toString("base64")};
  },
  async perplexity({ids, text_file}) {
    if (!ids) {
      ids = peer.tokenize(fs.readFileSync(text_file, "utf8"), false);
      if (peer.model.shouldPrependBosToken()) ids.unshift(peer.model.tokenBos());
    }
    return peer.perplexity(ids);
  },
  bench: (request) => peer.bench(request),
  template: async ({template, values}) => ({text: await renderTemplate(template, values)}),
};

for await (const line of readline.createInterface({input: process.stdin})) {
  if (line.trim() === "") continue;
  let answer;
  try {
    const {op, ...request} = JSON.parse(line);
    if (!Object.hasOwn(operations, op)) throw new Error(`no operation '${op}'`);
    if (!peer && !["describe", "load", "template"].includes(op)) throw new Error("load a model first");
    answer = await operations[op](request);
  } catch (error) {
    answer = {error: error.message};
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
await peer?.close();
process.exit(0);
