"""Models to quantize: their tensors' names and shapes, as GGUF files without weights (sparse: all zeros).
Shared by the live comparison with llama.cpp and by what makes the golden table."""
import struct

F32, F16 = 0, 1


def text(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def value(v):
    if isinstance(v, str):
        return 8, text(v)
    if isinstance(v, float):
        return 6, struct.pack("<f", v)
    if isinstance(v, list):
        return 9, struct.pack("<IQ", 5, len(v)) + b"".join(struct.pack("<i", x) for x in v)
    return 4, struct.pack("<I", v)


def write_sparse(path, metadata, tensors):
    """`tensors`: (name, dims with the row length first, ggml type 0 or 1)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, v in metadata.items():
        kind, data = value(v)
        head += text(key) + struct.pack("<I", kind) + data
    offset = 0
    for name, dims, kind in tensors:
        head += text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
        head += struct.pack("<IQ", kind, offset)
        n = 2 if kind == F16 else 4
        for d in dims:
            n *= d
        offset += (n + 31) // 32 * 32
    head += bytes(-len(head) % 32)
    with open(path, "wb") as f:
        f.write(head)
        f.truncate(len(head) + offset)


def model(arch, n_layers, d=256, d_ff=512, heads=8, kv_heads=8, experts=0, tied=False, vocab=64, fused_qkv=False,
          kv_array=False, extra=(), only=""):
    """(metadata, tensors) of a decoder in the usual names; of its blocks' tensors, those with `only` in their names."""
    metadata = {
        "general.architecture": arch, "general.name": "shapes only",
        f"{arch}.block_count": n_layers, f"{arch}.context_length": 64, f"{arch}.embedding_length": d,
        f"{arch}.feed_forward_length": d_ff, f"{arch}.attention.head_count": heads,
        f"{arch}.attention.head_count_kv": [kv_heads] * n_layers if kv_array else kv_heads,
        f"{arch}.attention.layer_norm_rms_epsilon": 1e-5, f"{arch}.attention.layer_norm_epsilon": 1e-5,
        f"{arch}.rope.dimension_count": d // heads, f"{arch}.vocab_size": vocab,
    }
    if experts:
        metadata |= {f"{arch}.expert_count": experts, f"{arch}.expert_used_count": 2}
    d_kv = d // heads * kv_heads
    tensors = [("token_embd.weight", (d, vocab), F16)]
    if not tied:
        tensors.append(("output.weight", (d, vocab), F16))
    tensors.append(("output_norm.weight", (d,), F32))
    for i in range(n_layers):
        def add(name, *dims):
            tensors.append((f"blk.{i}.{name}.weight", dims, F16 if len(dims) > 1 else F32))
        add("attn_norm", d)
        if fused_qkv:
            add("attn_qkv", d, d + 2 * d_kv)
        else:
            add("attn_q", d, d)
            add("attn_k", d, d_kv)
            add("attn_v", d, d_kv)
        add("attn_output", d, d)
        add("ffn_norm", d)
        if experts:
            tensors.append((f"blk.{i}.ffn_gate_inp.weight", (d, experts), F32))
            add("ffn_gate_exps", d, d_ff, experts)
            add("ffn_up_exps", d, d_ff, experts)
            add("ffn_down_exps", d_ff, d, experts)
        else:
            if arch not in ("falcon", "gpt2"):
                add("ffn_gate", d, d_ff)
            add("ffn_up", d, d_ff)
            add("ffn_down", d_ff, d)
    tensors = [t for t in tensors if only in t[0] or not t[0].startswith("blk.")]
    return metadata, tensors + list(extra)


MODELS = {
    "llama-8-gqa4": model("llama", 8, kv_heads=2),
    "llama-6": model("llama", 6),
    "llama-32-gqa8": model("llama", 32, kv_heads=1),
    "llama-80-70b": model("llama", 80, kv_heads=2, only="attn_v"),
    "llama-80-65b": model("llama", 80, only="attn_v"),
    "llama-17-tied": model("llama", 17, tied=True, kv_heads=4),
    "llama-1": model("llama", 1),
    "mixtral-32": model("llama", 32, experts=8, kv_heads=2),
    "mixtral-12-gqa1": model("llama", 12, experts=8),
    "moe-16-4-experts": model("llama", 16, experts=4, kv_heads=4),
    "qwen3moe-24": model("qwen3moe", 24, experts=16, kv_heads=1),
    "qwen2-24-tied": model("qwen2", 24, kv_heads=2, tied=True),
    "qwen2-80": model("qwen2", 80, kv_heads=8, only="attn_v"),
    "deci-80": model("deci", 80, only="attn_v"),
    "olmo-80": model("olmo", 80, only="attn_v"),
    "llama-embed-80": model("llama-embed", 80, kv_heads=2, only="attn_v"),
    "falcon-40": model("falcon", 40, fused_qkv=True, kv_heads=1),
    "falcon-33-gqa1": model("falcon", 33, fused_qkv=True),
    "gpt2-12": model("gpt2", 12, fused_qkv=True, extra=[("position_embd.weight", (256, 64), F32)]),
    "gemma2-26-tied": model("gemma2", 26, kv_heads=4, tied=True),
    "phi3-20": model("phi3", 20, fused_qkv=True),
    "llama-rows-96": model("llama", 10, d=96, d_ff=160, heads=4, kv_heads=4),
    "llama-rows-288-tied": model("llama", 9, d=288, d_ff=768, heads=4, kv_heads=1, tied=True),
    "llama-rows-mixed": model("llama", 16, d=256, d_ff=688, heads=8, kv_heads=8),
    "llama-rows-64": model("llama", 4, d=64, d_ff=192, heads=4, kv_heads=4),
    "llama-kv-array": model("llama", 8, kv_heads=2, kv_array=True),
    "llama-odd-tensors": model("llama", 8, kv_heads=2, extra=[
        ("blk.0.attn_q_norm.weight", (256, 2), F16), ("blk.1.odd.weight", (256, 1), F16),
        ("blk.1.odd2.weight", (256, 3), F16), ("blk.2.odd.bias", (256, 3), F16),
        ("per_layer_token_embd.weight", (256, 32), F16), ("blk.3.ssm_conv1d.weight", (256, 4), F16),
        ("blk.3.ffn_down_shexp.weight", (256, 256), F16), ("rope_freqs.weight", (32,), F32)]),
}

# llama_ftype of llama.cpp's llama.h.
MIXES = {
    "F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12,
    "Q3_K_L": 13, "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "IQ2_XXS": 19, "IQ2_XS": 20,
    "Q2_K_S": 21, "IQ3_XS": 22, "IQ3_XXS": 23, "IQ1_S": 24, "IQ4_NL": 25, "IQ3_S": 26, "IQ3_M": 27, "IQ2_S": 28,
    "IQ2_M": 29, "IQ4_XS": 30, "IQ1_M": 31, "BF16": 32, "TQ1_0": 36, "TQ2_0": 37, "MXFP4_MOE": 38, 
    "Q1_0": 40, "Q2_0": 41,
}
