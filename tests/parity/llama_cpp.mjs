// llama.cpp itself: the native addon of node-llama-cpp's prebuilt packages, called without that library's JavaScript, which
// would look for compilers and downloads. The addon's interface belongs to the exact version in package.json.
import fs from "node:fs";
import {createRequire} from "node:module";
import path from "node:path";

const require = createRequire(import.meta.url);
const GREEDY = {temperature: 0};

/** Folder of the native libraries; throws where none is installed for this machine. */
function libraryFolder() {
  const name = `@node-llama-cpp/${process.platform}-${process.arch}`;
  let entry;
  try {
    entry = require.resolve(name);
  } catch {
    throw new Error(`${name}, the prebuilt llama.cpp for this machine, is not installed (package.json lists those there are)`);
  }
  const bins = path.join(path.dirname(entry), "..", "bins");
  return path.join(bins, fs.readdirSync(bins)[0]);
}

let addon;
async function loadAddon() {
  if (addon) return addon;
  const folder = libraryFolder();
  addon = require(path.join(folder, "llama-addon.node"));
  addon.setLogger((level, message) => process.stderr.write(message));
  addon.setLoggerLogLevel(process.env.PEER_LOG ? 5 : 2);
  addon.loadBackends();
  addon.loadBackends(folder);
  await addon.init();
  return addon;
}

/** {release: "v0.5.0", cpu: its list of the CPU's instruction sets}. */
export async function describe() {
  const {systemInfo} = await loadAddon();
  const metadata = JSON.parse(fs.readFileSync(path.join(libraryFolder(), "_nlcBuildMetadata.json"), "utf8"));
  return {release: metadata.buildOptions.llamaCpp.release, cpu: systemInfo().trim()};
}

/** The text that a Jinja chat template makes of `values` ({messages, bos_token, ...}), by llama.cpp's own interpreter. */
export async function renderTemplate(template, values) {
  const {AddonJinjaRenderer} = await loadAddon();
  return new AddonJinjaRenderer(template).render(values);
}

/** One model and one context of it, with a single sequence. Positions start anew with each method. */
export class Peer {
  /**
   * Options: vocab_only, n_ctx (512), n_batch (n_ctx), threads (1: llama.cpp's wait for
   * each other by spinning, and two on a busy core take seconds a token), flash_attention (false, true or "auto"; llama.cpp's own
   * default), kv_type (ggml type id of the cache: 1 = f16, llama.cpp's default; 0 = f32).
   */
  static async load(file, options = {}) {
    const {AddonModel, AddonContext, AddonSampler} = await loadAddon();
    const peer = new Peer();
    peer.n_ctx = options.n_ctx ?? 512;
    peer.n_batch = Math.min(options.n_batch ?? peer.n_ctx, peer.n_ctx);
    peer.model = new AddonModel(file, {
      addonExports: addon, gpuLayers: 0, useMmap: true, vocabOnly: Boolean(options.vocab_only),
    });
    if (!(await peer.model.init())) throw new Error(`llama.cpp cannot load ${file}`);
    if (options.vocab_only) return peer;
    peer.context = new AddonContext(peer.model, {
      contextSize: peer.n_ctx, batchSize: peer.n_batch, sequences: 1, threads: options.threads ?? 1,
      flashAttention: options.flash_attention ?? "auto", kvCacheKeyType: options.kv_type ?? 1,
      kvCacheValueType: options.kv_type ?? 1,
    });
    if (!(await peer.context.init())) throw new Error(`llama.cpp cannot make a context for ${file}`);
    peer.sampler = new AddonSampler(peer.model);
    peer.sampler.applyConfig(GREEDY);
    return peer;
  }

  async close() {
    this.sampler?.dispose();
    await this.context?.dispose();
    await this.model.dispose();
  }

  facts() {
    const m = this.model;
    return {
      description: m.getModelDescription(), n_params: m.getTotalParameters(), n_bytes: m.getTotalSize(),
      n_ctx_train: m.getTrainContextSize(), bos: m.tokenBos(), eos: m.tokenEos(),
      adds_bos: m.shouldPrependBosToken(), adds_eos: m.shouldAppendEosToken(),
    };
  }

  /** Ids of `text` without BOS and EOS; names of special tokens become those tokens when `special`. */
  tokenize(text, special) { return [...this.model.tokenize(text, special)]; }
  /** The same with the tokens that llama.cpp puts around a whole text. */
  tokenizeWhole(text, special) {
    const m = this.model, ids = this.tokenize(text, special);
    const kWordPiece = 3;  // llama_vocab_type: always between CLS, which is its BOS, and SEP
    if (m.getVocabularyType() === kWordPiece) return [m.tokenBos(), ...ids, m.sepToken()];
    return [...(m.shouldPrependBosToken() ? [m.tokenBos()] : []), ...ids, ...(m.shouldAppendEosToken() ? [m.tokenEos()] : [])];
  }
  /** Text of `ids`; special tokens are shown by name when `special`. Invalid UTF-8 comes back as U+FFFD. */
  detokenize(ids, special) { return this.model.detokenize(Uint32Array.from(ids), special); }

  /** Evaluates ids at positions `from`, from + 1, ...; returns a batch index for each entry of `wanted` (ascending). */
  async #decode(ids, from, wanted) {
    this.context.initBatch(ids.length);
    const indexes = this.context.addToBatch(0, from, Uint32Array.from(ids), Uint32Array.from(wanted));
    await this.context.decodeBatch();
    return [...indexes];
  }

  /** Evaluates ids from position `from` in batches; calls visit(k, batch index) for those k for which wanted(k) holds. */
  async #prefill(ids, from, wanted, visit) {
    if (from === 0) this.context.disposeSequence(0);
    if (from + ids.length > this.n_ctx) throw new Error(`${from + ids.length} tokens in a context of ${this.n_ctx}`);
    for (let start = 0; start < ids.length; start += this.n_batch) {
      const part = ids.slice(start, start + this.n_batch);
      const inside = [...part.keys()].filter((k) => wanted(start + k));
      const indexes = await this.#decode(part, from + start, inside);
      for (const [i, k] of inside.entries()) await visit(start + k, indexes[i]);
    }
  }

  /** f32 logits of one evaluated token, by id. */
  async #logits(index) {
    const [, , , pairs] = await this.context.sampleToken(index, this.sampler, false, false, true);
    const logits = new Float32Array(pairs.length / 2);
    for (let i = 0; i < pairs.length; i += 2) logits[pairs[i]] = pairs[i + 1];
    return logits;
  }

  /** Logits after each of `ids` (or after the last only): an array of Float32Array. */
  async logits(ids, last_only = false) {
    const rows = [];
    const wanted = (k) => !last_only || k === ids.length - 1;
    await this.#prefill(ids, 0, wanted, async (k, index) => rows.push(await this.#logits(index)));
    return rows;
  }

  /** The n most probable continuations, each given the ones before; stops early after an end-of-generation token. */
  async greedy(ids, n) {
    const out = [];
    let index;
    await this.#prefill(ids, 0, (k) => k === ids.length - 1, (k, i) => { index = i; });
    while (out.length < n) {
      const id = await this.context.sampleToken(index, this.sampler);
      out.push(id);
      if (this.model.isEogToken(id) || out.length === n) break;
      [index] = await this.#decode([id], ids.length + out.length - 1, [0]);
    }
    return out;
  }

  /**
   * Perplexity as llama.cpp's own tool measures it: chunks of n_ctx tokens, the first token of each replaced by BOS where the
   * model wants one, the second half of each scored.
   */
  async perplexity(ids) {
    const n = this.n_ctx, first = n >> 1;
    let nll = 0, n_scored = 0;
    for (let start = 0; start + n <= ids.length; start += n) {
      const chunk = ids.slice(start, start + n);
      if (this.model.shouldPrependBosToken()) chunk[0] = this.model.tokenBos();
      await this.#prefill(chunk, 0, (k) => k >= first && k < n - 1, async (k, index) => {
        const target = ids[start + k + 1];
        const [top, , , pairs, weight] =
            await this.context.sampleToken(index, this.sampler, false, false, [[target], false, false, true, 0], true);
        const logit = {};
        for (let i = 0; i < pairs.length; i += 2) logit[pairs[i]] = pairs[i + 1];
        nll += Math.log(weight) + logit[top] - logit[target];  // weight: the sum of exp(logit - top logit)
        ++n_scored;
      });
    }
    return {perplexity: Math.exp(nll / n_scored), nll: nll / n_scored, n_scored};
  }

  /**
   * Tokens a second of prefill (n_prompt tokens in one go, in batches of n_batch) and of generation (n_gen single steps), each
   * after `depth` tokens of context, as llama-bench measures them: fixed ids, no sampling. Best of `repeats`, and all.
   */
  async bench({n_prompt = 512, n_gen = 64, depth = 0, repeats = 3}) {
    const nothing = () => {};
    const tokens = (n) => Array.from({length: n}, (_, k) => 3 + (k * 7919) % 1000);
    const last = (n) => (k) => k === n - 1;
    const measure = async (n, work) => {
      const rates = [];
      for (let r = 0; n > 0 && r <= repeats; ++r) {
        this.context.disposeSequence(0);
        if (depth > 0) await this.#prefill(tokens(depth), 0, last(depth), nothing);
        const start = process.hrtime.bigint();
        await work();
        if (r > 0) rates.push(n * 1e9 / Number(process.hrtime.bigint() - start));  // the first warms up
      }
      return {best: Math.max(0, ...rates), all: rates};
    };
    const prefill = await measure(n_prompt, () => this.#prefill(tokens(n_prompt), depth, last(n_prompt), nothing));
    const generation = await measure(n_gen, async () => {
      for (let k = 0; k < n_gen; ++k) await this.#decode([3 + k], depth + k, [0]);
    });
    return {threads: this.context.getThreads(), prefill_tokens_per_s: prefill, generation_tokens_per_s: generation};
  }
}
