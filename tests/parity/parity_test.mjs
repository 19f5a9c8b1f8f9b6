// Assay beside llama.cpp itself, live: the same token ids, and the same greedy text of the embedded model.
//   node parity_test.mjs [ASSAY] [--all]      ASSAY: the program (default $ASSAY_BIN); --all: every string on every vocabulary
import assert from "node:assert/strict";
import {spawn} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {describe, Peer} from "./llama_cpp.mjs";
import {INVALID_UTF8, STRINGS} from "./strings.mjs";

const ROOT = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "../..");
const GOLDEN = process.env.ASSAY_GOLDEN_DIR ?? path.join(ROOT, "../shared/golden");
const MODEL = path.join(ROOT, "models/tales-6m-f16.gguf");
const ALL = process.argv.includes("--all");
const ASSAY = process.argv.slice(2).find((a) => !a.startsWith("--")) ?? process.env.ASSAY_BIN;

// llama.cpp rounds activations to f16 before an F16 product, Assay does not. On the golden F16 models that moves a logit by at
// most 0.020 (rms 0.0033): logits.f32 against logits_f32w.f32. The tokens of two engines may part where the best two logits are
// closer than twice the bound.
const MAX_LOGIT_DIFFERENCE = 0.03, MAX_LOGIT_RMS = 0.005;

const PROMPTS = [
  "Once upon a time", "The old witch looked at the little girl and said,", "\"Who are you?\" asked the", "In the middle of the forest there stood a", "1. ", "Chapter II\n\n",
  "It was a dark night", "Zwölf Boxkämpfer jagen", "My dear child, never open the door to", "And so the Prince",
];
const N_PREDICT = 100;

let n_failed = 0;
function check(name, failures, note = "") {
  console.log(`${failures.length === 0 ? "ok    " : "FAILED"} ${name}${note && `: ${note}`}`);
  for (const failure of failures.slice(0, 10)) console.log(`         ${failure}`);
  if (failures.length > 10) console.log(`         and ${failures.length - 10} more`);
  n_failed += failures.length > 0;
}

function assay(args, input = "") {
  return new Promise((resolve, reject) => {
    const child = spawn(ASSAY, args);
    const out = [], err = [];
    child.stdout.on("data", (data) => out.push(data));
    child.stderr.on("data", (data) => err.push(data));
    child.on("error", reject);
    child.stdin.on("error", () => {});  // the program may refuse its arguments before it reads
    child.on("close", (status) => resolve({status, out: Buffer.concat(out), err: Buffer.concat(err).toString()}));
    child.stdin.end(input);
  });
}

async function assayIds(model, text, flags) {
  const result = await assay(["tokenize", model, "--file", "-", "--json", ...flags], text);
  if (result.status !== 0) throw new Error(`assay tokenize ended with status ${result.status}: ${result.err.trim()}`);
  return JSON.parse(result.out).ids;
}

const VARIANTS = [  // what Assay is told, and llama.cpp
  {flags: ["--no-bos", "--no-eos"], special: true},
  {flags: ["--no-bos", "--no-eos", "--no-parse-special"], special: false},
  {flags: [], special: true, around: true},
];

async function compareTokens(model, strings) {
  const peer = await Peer.load(model, {vocab_only: true});
  const failures = [];
  for (const [i, text] of strings.entries()) {
    const {flags, special, around} = VARIANTS[i % 5 === 3 ? 1 : i % 5 === 4 ? 2 : 0];
    const expected = around ? peer.tokenizeWhole(text, special) : peer.tokenize(text, special);
    try {
      assert.deepEqual(await assayIds(model, text, flags), expected);
    } catch (error) {
      const {actual} = error;
      failures.push(`${JSON.stringify(text).slice(0, 80)} ${flags.join(" ")}: ` + (actual ? `[${actual}], llama.cpp [${expected}]` : error.message));
    }
  }
  await peer.close();
  check(`tokens of ${path.basename(model)}`, failures, `${strings.length} strings`);
}

async function checkInvalidUtf8() {
  const failures = [];
  for (const bytes of INVALID_UTF8) {
    const {status, out, err} = await assay(["tokenize", MODEL, "--file", "-", "--json"], bytes);
    if (status !== 2 || out.length > 0 || err === "") failures.push(`${bytes.toString("hex")}: status ${status}, ${out}${err}`);
  }
  check("invalid UTF-8 is refused with status 2", failures, `${INVALID_UTF8.length} byte strings`);
}

/** Assay's logits, one Float32Array for each id. */
async function assayLogits(ids) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "assay-parity-"));
  try {
    const file = path.join(folder, "logits.f32");
    const result = await assay(["logits", MODEL, "--tokens", ids.join(","), "--backend", "cpu", "--output", file]);
    if (result.status !== 0) throw new Error(`assay logits ended with status ${result.status}: ${result.err.trim()}`);
    const bytes = fs.readFileSync(file), n = bytes.length / 4 / ids.length;
    const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    return ids.map((_, i) => all.subarray(i * n, (i + 1) * n));
  } finally {
    fs.rmSync(folder, {recursive: true});
  }
}

const bestOf = (logits) => logits.reduce((best, logit, id) => (logit > logits[best] ? id : best), 0);

/** Logits of both on the same tokens. Returns Assay's. */
async function compareLogits(peer, ids, stats, failures) {
  const ours = await assayLogits(ids), theirs = await peer.logits(ids);
  for (const [i, row] of ours.entries()) {
    let largest = 0;
    row.forEach((logit, id) => {
      const difference = Math.abs(logit - theirs[i][id]);
      largest = Math.max(largest, difference);
      stats.squares += difference * difference;
      ++stats.n;
    });
    stats.largest = Math.max(stats.largest, largest);
    if (!(largest <= MAX_LOGIT_DIFFERENCE)) failures.push(`logits after ${i + 1} of the tokens [${ids.slice(0, 8)}...] differ by ${largest}`);
  }
  return {ours, theirs};
}

async function compareGreedy() {
  const peer = await Peer.load(MODEL, {flash_attention: false, kv_type: 0});
  const {bos} = peer.facts();
  const text_failures = [], logit_failures = [], stats = {largest: 0, squares: 0, n: 0};
  let n_same = 0, n_all = 0;
  for (const prompt of PROMPTS) {
    const prompt_ids = [bos, ...peer.tokenize(prompt, true)];
    let ids = await peer.greedy(prompt_ids, N_PREDICT);
    if (peer.model.isEogToken(ids.at(-1))) ids = ids.slice(0, -1);
    const start = peer.detokenize(prompt_ids, false);
    const textOf = (n) => peer.detokenize([...prompt_ids, ...ids.slice(0, n)], false).slice(start.length);
    const result = await assay(["run", MODEL, prompt, "--no-echo", "-n", String(N_PREDICT), "--temp", "0"]);
    const text = result.out.toString();
    const {ours, theirs} = await compareLogits(peer, [...prompt_ids, ...ids], stats, logit_failures);
    n_all += ids.length;
    // The program ends its output with a newline where the text has none.
    if (result.status === 0 && (text === textOf(ids.length) || text === textOf(ids.length) + "\n")) {
      n_same += ids.length;
      continue;
    }
    let k = 0;  // tokens that agree
    while (k < ids.length && text.startsWith(textOf(k + 1))) ++k;
    n_same += k;
    const place = `${JSON.stringify(prompt)}, token ${k} of ${ids.length}`;
    if (result.status !== 0 || k === ids.length) {
      text_failures.push(`${place}: status ${result.status}, ${JSON.stringify(text.slice(-60))} ${result.err.trim()}`);
      continue;
    }
    const at = prompt_ids.length + k - 1, our_best = bestOf(ours[at]);
    const our_gap = ours[at][our_best] - ours[at][ids[k]], their_gap = theirs[at][ids[k]] - theirs[at][our_best];
    const note = `${place}: Assay takes ${our_best} by ${our_gap.toFixed(5)}, llama.cpp ${ids[k]} by ${their_gap.toFixed(5)}`;
    if (our_best !== ids[k] && our_gap <= 2 * MAX_LOGIT_DIFFERENCE && their_gap <= 2 * MAX_LOGIT_DIFFERENCE)
      console.log(`       near tie: ${note}`);
    else text_failures.push(note);
  }
  await peer.close();
  if (n_same < n_all / 2) text_failures.push(`only ${n_same} of ${n_all} tokens could be compared before near ties`);
  check("greedy text of the embedded model", text_failures, `${n_same} of ${n_all} tokens equal, ${PROMPTS.length} prompts`);
  const rms = Math.sqrt(stats.squares / stats.n);
  if (!(rms <= MAX_LOGIT_RMS)) logit_failures.push(`rms difference ${rms}`);
  check("logits of the embedded model", logit_failures, `largest difference ${stats.largest.toFixed(5)}, rms ${rms.toFixed(6)}, ${stats.n} logits`);
}

/** -log softmax of each logit, in f64. */
function surprises(logits) {
  const top = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((a, b) => a + Math.exp(b - top), 0);
  return Float64Array.from(logits, (logit) => top + Math.log(sum) - logit);
}

/**
 * Perplexity of three files and their KL from the F16 model, both engines on the same files and chunks. What differs is the rounding
 * of F16 products and of sums; a KL also has the int8 activations' noise in it, which both engines have and round alike.
 */
async function comparePerplexity() {
  const MAX_PERPLEXITY_RATIO = 0.001, MAX_KL_RATIO = 0.02, CONTEXT = 256, CHUNKS = 42;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "assay-perplexity-"));
  const failures = [], notes = [];
  const text = path.join(ROOT, "models/tales-sample.txt");
  try {
    const types = ["Q8_0", "Q5_K_M", "Q4_0"], files = types.map((type) => path.join(folder, `${type}.gguf`));
    for (const [i, type] of types.entries()) {
      const made = await assay(["quantize", MODEL, files[i], type]);
      if (made.status !== 0) throw new Error(made.err);
    }
    const told = await assay(["perplexity", MODEL, text, "-c", CONTEXT, "--chunks", CHUNKS, "--compare", ...files, "--json"].map(String));
    if (told.status !== 0) throw new Error(told.err);
    const ours = JSON.parse(told.out);
    let ids, base;
    for (const [i, file] of [MODEL, ...files].entries()) {
      const peer = await Peer.load(file, {n_ctx: CONTEXT, n_batch: CONTEXT});
      ids ??= peer.tokenizeWhole(fs.readFileSync(text, "utf8"), false).slice(0, CONTEXT * CHUNKS);
      const rows = [];
      for (let start = 0; start < ids.length; start += CONTEXT) {
        const chunk = [peer.model.tokenBos(), ...ids.slice(start + 1, start + CONTEXT)];
        rows.push(...(await peer.logits(chunk)).slice(CONTEXT / 2, CONTEXT - 1).map(surprises));
      }
      await peer.close();
      base ??= rows;
      const target = (r) => ids[Math.floor(r / (CONTEXT / 2 - 1)) * CONTEXT + CONTEXT / 2 + r % (CONTEXT / 2 - 1) + 1];
      let nll = 0, kl = 0;
      for (const [r, row] of rows.entries()) {
        nll += row[target(r)] / rows.length;
        base[r].forEach((s, id) => { kl += Math.exp(-s) * (row[id] - s) / rows.length; });
      }
      const mine = i === 0 ? ours.base : ours.files[i - 1], theirs = Math.exp(nll);
      if (!(Math.abs(mine.perplexity[0] / theirs - 1) <= MAX_PERPLEXITY_RATIO))
        failures.push(`perplexity of ${path.basename(file)}: ${mine.perplexity[0]}, llama.cpp ${theirs}`);
      if (i === 0) continue;
      if (!(Math.abs(mine.kl[0] / kl - 1) <= MAX_KL_RATIO)) failures.push(`KL of ${types[i - 1]}: ${mine.kl[0]}, llama.cpp ${kl}`);
      notes.push(`${types[i - 1]} ${mine.perplexity[0].toFixed(4)} and ${theirs.toFixed(4)}, KL ${mine.kl[0].toFixed(6)} and ${kl.toFixed(6)}`);
    }
  } finally {
    fs.rmSync(folder, {recursive: true});
  }
  check("perplexity and KL of three files", failures, notes.join("; "));
}

if (!ASSAY) {
  console.error("usage: node parity_test.mjs ASSAY [--all]   (or ASSAY_BIN)");
  process.exit(2);
}
assert.equal(STRINGS.length, 200);
const {release, cpu} = await describe();
console.log(`llama.cpp ${release}, ${cpu}`);
await checkInvalidUtf8();
await compareTokens(MODEL, STRINGS);
const vocabularies = path.join(GOLDEN, "vocab");
if (fs.existsSync(vocabularies)) {
  // A large vocabulary takes a moment to load for each string: one in five, another fifth for each file.
  const files = fs.readdirSync(vocabularies).filter((name) => name.endsWith(".gguf")).sort();
  for (const [i, name] of files.entries())
    await compareTokens(path.join(vocabularies, name), STRINGS.filter((_, k) => ALL || k % 5 === i % 5));
} else {
  console.log(`skipped: tokens of the large vocabularies (no folder ${vocabularies}; ASSAY_GOLDEN_DIR names it)`);
}
await compareGreedy();
await comparePerplexity();
process.exit(n_failed > 0 ? 1 : 0);
