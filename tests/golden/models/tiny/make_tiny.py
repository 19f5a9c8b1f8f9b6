#!/usr/bin/env python3
"""Writes the tiny models of this folder: random f32 weights, one GGUF file for each behaviour that an architecture
must get right. Same bytes on every run. Shares no code with Assay.

    python3 make_tiny.py [DIRECTORY]      then      node record.mjs      records what llama.cpp makes of them
"""
import json
import pathlib
import struct
import sys
import zlib

import numpy as np

HERE = pathlib.Path(__file__).parent
N_VOCAB, N_TOKENS, ALIGNMENT = 96, 40, 32


def text(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def value(v):
    """A metadata value with its type: bool, int (u32), float (f32), str, or a list of one of them (ints as i32)."""
    if isinstance(v, bool):
        return 7, struct.pack("<?", v)
    if isinstance(v, int):
        return 4, struct.pack("<I", v)
    if isinstance(v, float):
        return 6, struct.pack("<f", v)
    if isinstance(v, str):
        return 8, text(v)
    kind = 5 if isinstance(v[0], int) else value(v[0])[0]
    return 9, struct.pack("<IQ", kind, len(v)) + b"".join(value(x)[1] for x in v)


def write_gguf(path, metadata, tensors):
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, v in metadata.items():
        kind, data = value(v)
        head += text(key) + struct.pack("<I", kind) + data
    blob = b""
    for name, t in tensors.items():
        head += text(name) + struct.pack("<I", t.ndim)
        head += b"".join(struct.pack("<Q", d) for d in reversed(t.shape)) + struct.pack("<IQ", 0, len(blob))
        blob += t.astype("<f4").tobytes()
        blob += bytes(-len(blob) % ALIGNMENT)
    path.write_bytes(head + bytes(-len(head) % ALIGNMENT) + blob)


class Model:
    """Collects the tensors of one model. Matrices are scaled so that scores peak and logits spread; norms and biases
    are far enough from 1 and 0 that leaving one out shows."""

    def __init__(self, name, arch, keys, *, layers=2, d=32, heads=4, kv_heads=2, head_dim=8, d_ff=48, ctx=64,
                 layer_norm=False, peak=2.0):
        self.name, self.arch, self.layers, self.d, self.d_ff, self.peak = name, arch, layers, d, d_ff, peak
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, head_dim
        self.layer_norm = layer_norm
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))
        self.keys = {"block_count": layers, "context_length": ctx, "embedding_length": d, "feed_forward_length": d_ff,
                     "attention.head_count": heads, "attention.head_count_kv": kv_heads,
                     "attention.layer_norm_epsilon" if layer_norm else "attention.layer_norm_rms_epsilon": 1e-5}
        if head_dim * heads != d:
            self.keys |= {"attention.key_length": head_dim, "attention.value_length": head_dim}
        self.keys |= keys
        self.tensors = {}
        self.contexts = {"": min(ctx, 256)}  # suffix of the recording -> length of the cache

    def matrix(self, name, *shape, bias=False, scale=1.0):
        self.tensors[name + ".weight"] = self.rng.normal(0, scale / np.sqrt(shape[-1]), shape)
        if bias:
            self.tensors[name + ".bias"] = self.rng.normal(0, 0.3, shape[-2])

    def norm(self, name, *shape, bias=None, scale=1.0):
        self.tensors[name + ".weight"] = scale * self.rng.uniform(0.5, 1.5, shape)
        if self.layer_norm if bias is None else bias:
            self.tensors[name + ".bias"] = self.rng.normal(0, 0.2, shape)

    def ends(self, tied=False, output=3.0):
        embedding = 0.5 if tied else 1.0
        self.matrix("token_embd", N_VOCAB, self.d, scale=embedding * np.sqrt(self.d))
        self.norm("output_norm", self.d)
        if not tied:
            self.matrix("output", N_VOCAB, self.d, scale=output)

    def attention(self, i, fused=False, bias=False, output_bias=None):
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        if fused:
            self.matrix(f"blk.{i}.attn_qkv", q + 2 * kv, self.d, bias=bias, scale=self.peak)
        else:
            self.matrix(f"blk.{i}.attn_q", q, self.d, bias=bias, scale=self.peak)
            self.matrix(f"blk.{i}.attn_k", kv, self.d, bias=bias, scale=self.peak)
            self.matrix(f"blk.{i}.attn_v", kv, self.d, bias=bias)
        self.matrix(f"blk.{i}.attn_output", self.d, q, bias=bias if output_bias is None else output_bias)

    def gated_ffn(self, i, bias=False):
        self.matrix(f"blk.{i}.ffn_gate", self.d_ff, self.d, bias=bias, scale=2)
        self.matrix(f"blk.{i}.ffn_up", self.d_ff, self.d, bias=bias)
        self.matrix(f"blk.{i}.ffn_down", self.d, self.d_ff, bias=bias)

    def plain_ffn(self, i):
        self.matrix(f"blk.{i}.ffn_up", self.d_ff, self.d, bias=True, scale=2)
        self.matrix(f"blk.{i}.ffn_down", self.d, self.d_ff, bias=True)

    def experts(self, i, n, width):
        self.matrix(f"blk.{i}.ffn_gate_inp", n, self.d, scale=2)
        self.matrix(f"blk.{i}.ffn_gate_exps", n, width, self.d, scale=2)
        self.matrix(f"blk.{i}.ffn_up_exps", n, width, self.d)
        self.matrix(f"blk.{i}.ffn_down_exps", n, self.d, width)

    def write(self, folder):
        metadata = {"general.architecture": self.arch, "general.name": self.name}
        metadata |= {f"{self.arch}.{key}": v for key, v in self.keys.items()}
        # Byte-level: Ġ and Ċ are the space and the newline. llama.cpp cannot load a vocabulary this small in any
        # other form.
        tokens = ["<|end|>", "\u0120", "\u010a", "ab"] + [chr(c) for c in range(33, 33 + N_VOCAB - 4)]
        metadata |= {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.tokens": tokens,
                     "tokenizer.ggml.token_type": [3] + [1] * (N_VOCAB - 1), "tokenizer.ggml.merges": ["a b"],
                     "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 0}
        write_gguf(folder / f"{self.name}.gguf", metadata, self.tensors)
        ids = [0] + [int(x) for x in self.rng.integers(4, N_VOCAB, N_TOKENS - 1)]
        return {"name": self.name, "architecture": self.arch, "tokens": ids, "contexts": self.contexts}


def llama(name, keys, tied=False, bias=False, n_experts=0, **sizes):
    m = Model(name, "llama", keys, **sizes)
    m.ends(tied, output=3.0)
    for i in range(m.layers):
        m.norm(f"blk.{i}.attn_norm", m.d)
        m.attention(i, bias=bias)
        m.norm(f"blk.{i}.ffn_norm", m.d)
        if n_experts:
            m.experts(i, n_experts, m.d_ff)
        else:
            m.gated_ffn(i, bias=bias)
    return m


def llama3_factors():
    m = llama("llama3-factors", {"rope.freq_base": 500000.0, "rope.dimension_count": 8}, tied=True)
    m.tensors["rope_freqs.weight"] = np.array([1.0, 1.0, 3.5, 8.0])
    return m


def qwen3moe():
    m = Model("qwen3moe", "qwen3moe", {"expert_count": 8, "expert_used_count": 3, "expert_feed_forward_length": 16,
                                       "rope.freq_base": 1000000.0}, head_dim=16)
    m.ends(tied=True)
    for i in range(m.layers):
        m.norm(f"blk.{i}.attn_norm", m.d)
        m.attention(i)
        m.norm(f"blk.{i}.attn_q_norm", m.head_dim)
        m.norm(f"blk.{i}.attn_k_norm", m.head_dim)
        m.norm(f"blk.{i}.ffn_norm", m.d)
        m.experts(i, 8, 16)
    return m


def gemma(name, arch, keys, **sizes):
    """Deep ones take little from their FFNs: llama.cpp's GELU is rough, and many layers would amplify that."""
    m = Model(name, arch, {"attention.sliding_window": 8} | keys, **sizes)
    m.ends(tied=True)
    for i in range(m.layers):
        m.norm(f"blk.{i}.attn_norm", m.d)
        m.attention(i)
        if arch == "gemma3":
            m.norm(f"blk.{i}.attn_q_norm", m.head_dim)
            m.norm(f"blk.{i}.attn_k_norm", m.head_dim)
        m.norm(f"blk.{i}.post_attention_norm", m.d)
        m.norm(f"blk.{i}.ffn_norm", m.d)
        m.gated_ffn(i)
        m.norm(f"blk.{i}.post_ffw_norm", m.d, scale=1.0 if m.layers < 40 else 0.01)
    return m


def olmo2(name, keys, **sizes):
    m = Model(name, "olmo2", keys, **sizes)
    m.ends()
    for i in range(m.layers):
        m.attention(i)
        m.norm(f"blk.{i}.attn_q_norm", m.heads * m.head_dim)
        m.norm(f"blk.{i}.attn_k_norm", m.kv_heads * m.head_dim)
        m.norm(f"blk.{i}.post_attention_norm", m.d)
        m.gated_ffn(i)
        m.norm(f"blk.{i}.post_ffw_norm", m.d)
    return m


def gpt2():
    m = Model("gpt2", "gpt2", {}, kv_heads=4, layer_norm=True)
    m.ends(tied=True)
    m.matrix("position_embd", 64, m.d, scale=np.sqrt(m.d) * 0.7)
    for i in range(m.layers):
        m.norm(f"blk.{i}.attn_norm", m.d)
        m.attention(i, fused=True, bias=True)
        m.norm(f"blk.{i}.ffn_norm", m.d)
        m.plain_ffn(i)
    return m


def starcoder2():
    m = Model("starcoder2", "starcoder2", {"rope.freq_base": 100000.0}, layer_norm=True)
    m.ends(tied=True)
    for i in range(m.layers):
        m.norm(f"blk.{i}.attn_norm", m.d)
        m.attention(i, bias=True)
        m.norm(f"blk.{i}.ffn_norm", m.d)
        m.plain_ffn(i)
    return m


def stablelm(name, parallel):
    m = Model(name, "stablelm", {"rope.dimension_count": 4, "use_parallel_residual": True}, head_dim=16, heads=2,
              kv_heads=1, layer_norm=True)
    m.ends()
    for i in range(m.layers):
        m.norm(f"blk.{i}.attn_norm", m.d)
        m.attention(i, bias=not parallel, output_bias=False)
        if parallel:
            m.norm(f"blk.{i}.attn_q_norm", m.heads, m.head_dim, bias=False)
            m.norm(f"blk.{i}.attn_k_norm", m.kv_heads, m.head_dim, bias=False)
        else:
            m.norm(f"blk.{i}.ffn_norm", m.d)
        m.gated_ffn(i)
    return m


def phi3_longrope():
    # Its name keeps clear of "phi-3", in which llama.cpp expects special tokens of a real vocabulary.
    m = Model("longrope", "phi3", {"rope.dimension_count": 12, "rope.scaling.original_context_length": 256,
                                        "rope.scaling.attn_factor": 1.19}, heads=2, kv_heads=1, head_dim=16, ctx=1024)
    m.contexts = {"-short": 256, "-long": 512}
    m.ends(tied=True)
    m.tensors["rope_factors_short.weight"] = np.array([1.0, 1.02, 1.1, 1.5, 2.0, 2.5])
    m.tensors["rope_factors_long.weight"] = np.array([1.1, 1.4, 3.0, 9.0, 20.0, 40.0])
    for i in range(m.layers):
        m.norm(f"blk.{i}.attn_norm", m.d)
        m.attention(i, fused=True)
        m.norm(f"blk.{i}.ffn_norm", m.d)
        m.matrix(f"blk.{i}.ffn_up", 2 * m.d_ff, m.d, scale=2)
        m.matrix(f"blk.{i}.ffn_down", m.d, m.d_ff)
    return m


YARN = {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 32}
MODELS = [
    llama3_factors(),
    llama("llama-linear", {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}),
    llama("llama-old-linear", {"rope.scale_linear": 2.0}, kv_heads=4),
    llama("llama-yarn", YARN | {"rope.scaling.original_context_length": 4096, "rope.scaling.attn_factor": 1.1},
          head_dim=16, heads=2, kv_heads=1, ctx=16384),
    llama("llama-biases", {"rope.dimension_count": 16}, bias=True, head_dim=16),
    llama("mixtral", {"expert_count": 4, "expert_used_count": 2}, n_experts=4),
    qwen3moe(),
    gemma("gemma2", "gemma2", {"attn_logit_softcapping": 5.0, "final_logit_softcapping": 6.0}, head_dim=16),
    gemma("gemma2-46-layers", "gemma2", {}, layers=46, d=8, heads=2, kv_heads=1, head_dim=2, d_ff=8, peak=1.0),
    gemma("gemma3-62-layers", "gemma3", {"rope.freq_base": 1000000.0, "rope.scaling.type": "linear",
                                         "rope.scaling.factor": 8.0},
          layers=62, d=8, heads=2, kv_heads=1, head_dim=2, d_ff=8, peak=1.0),
    olmo2("olmo2", {"rope.freq_base": 500000.0}),
    olmo2("olmo3", YARN | {"rope.freq_base": 500000.0, "attention.sliding_window": 8}, layers=4, heads=2,
          kv_heads=1, head_dim=16, ctx=128),
    gpt2(),
    starcoder2(),
    stablelm("stablelm", parallel=False),
    stablelm("stablelm-12b", parallel=True),
    phi3_longrope(),
]

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    (folder / "models.json").write_text(
        "[\n" + ",\n".join(" " + json.dumps(m.write(folder)) for m in MODELS) + "\n]\n")
