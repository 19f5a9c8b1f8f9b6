// Records llama.cpp's logits of the models in this folder: NAME[SUFFIX].logits.f32, f32 [n_tokens, n_vocab], every
// position of models.json's tokens. f32 KV cache, no flash attention, one thread, CPU.
//
//   npm install node-llama-cpp@3.22.1 @node-llama-cpp/linux-x64@3.22.1      (llama.cpp v0.5.0)
//   NODE_PATH is not looked at by import: run beside node_modules, or set PEER to its node-llama-cpp folder.
import fs from "node:fs";
import path from "node:path";
import {fileURLToPath} from "node:url";

const peer = process.env.PEER ? path.join(process.env.PEER, "dist/index.js") : "node-llama-cpp";
const {getLlama, LlamaLogLevel} = await import(peer);
const folder = path.dirname(fileURLToPath(import.meta.url));
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 1});

for (const {name, tokens, contexts} of JSON.parse(fs.readFileSync(path.join(folder, "models.json"), "utf8"))) {
    const model = await llama.loadModel({modelPath: path.join(folder, name + ".gguf")});
    for (const [suffix, contextSize] of Object.entries(contexts)) {
        const context = await model.createContext({
            contextSize, batchSize: 256, threads: 1, flashAttention: false,
            experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32", ignoreMemorySafetyChecks: true
        });
        const sequence = context.getSequence();
        const results = await sequence.controlledEvaluate(
            tokens.map((token) => [token, {generateNext: {logits: true}}]));
        const rows = results.map(({next}) => {
            const row = new Float32Array(next.logits.size);
            for (const [token, logit] of next.logits) row[token] = logit;
            return Buffer.from(row.buffer);
        });
        fs.writeFileSync(path.join(folder, name + suffix + ".logits.f32"), Buffer.concat(rows));
        console.log(name + suffix, rows.length, rows[0].length / 4);
        await context.dispose();
    }
    await model.dispose();
}
await llama.dispose();
