"""Records pretokenizers.json: how llama.cpp splits texts under every pre-tokenizer.

usage: record.py FOLDER_OF_LIBLLAMA NAMES...   (the first name of each line of src/tokenizer/pretokenizers.cpp)
Recorded with libllama.v0.5.0.so of npm's node-llama-cpp 3.22.1. The vocabulary has a token for every byte and for every pair
of the listed bytes, with merges in that order, so that the ids show where words begin."""
import ctypes as C, glob, json, random, struct, sys, tempfile

PARTS = ["a", "s", "b", "A", "S", "'s", "'LL", "'", "1", "12", "2024", ".", ",", "~", "$", "/", "(", " ", "  ", "\n", "\r", "\t",
         "\u00e9", "\u00c9", "\u4f60", "\u309f", "\uac00", "\u0915", "\u093e", "\u0e01", "\u0660", "\u00b2", "\u20ac", "\u3002",
         "\u3000", "\u2028", "\u0085", "\u180e", "\u200b", "\U0001f642", "\U0001fae8", "\U00010280"]

def text_bytes(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()

def byte_characters():
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in printable]
    return {**{b: chr(b) for b in printable}, **{b: chr(256 + i) for i, b in enumerate(rest)}}

def write_vocabulary(path, pre, pairs):
    characters = byte_characters()
    tokens = [characters[b] for b in range(256)] + [characters[a] + characters[b] for a in pairs for b in pairs] + ["<bos>"]
    merges = [characters[a] + " " + characters[b] for a in pairs for b in pairs]
    string = lambda key, value: text_bytes(key) + struct.pack("<I", 8) + text_bytes(value)
    strings = lambda key, values: text_bytes(key) + struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(text_bytes, values))
    fields = [string("general.architecture", "llama"), string("tokenizer.ggml.model", "gpt2"), string("tokenizer.ggml.pre", pre),
              strings("tokenizer.ggml.tokens", tokens), strings("tokenizer.ggml.merges", merges),
              text_bytes("tokenizer.ggml.bos_token_id") + struct.pack("<II", 4, len(tokens) - 1)]
    with open(path, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(fields)) + b"".join(fields))

class Parameters(C.Structure):  # llama_model_params, read as bytes
    _fields_ = [("bytes", C.c_uint8 * 256)]
VOCAB_ONLY = 72  # its offset in v0.5.0

def main():
    folder, names = sys.argv[1], sys.argv[2:]
    for pattern in ("libggml-base.so", "libggml.v*.so", "libllama.v*.so"):
        llama = C.CDLL(glob.glob(folder + "/" + pattern)[0], mode=C.RTLD_GLOBAL)
    llama.llama_model_default_params.restype = Parameters
    llama.llama_model_load_from_file.restype = llama.llama_model_get_vocab.restype = C.c_void_p
    llama.llama_model_load_from_file.argtypes = [C.c_char_p, Parameters]
    llama.llama_model_get_vocab.argtypes = [C.c_void_p]
    llama.llama_tokenize.argtypes = [C.c_void_p, C.c_char_p, C.c_int32, C.c_void_p, C.c_int32, C.c_bool, C.c_bool]

    chance = random.Random(1)
    texts = ["".join(chance.choice(PARTS) for _ in range(chance.randint(2, 14))) for _ in range(60)]
    texts += ["1234567", "x12345678 9", "12", " \n \n a", "a    b", "getValue HTTPServer", "\u0915\u093e\u0915\u093e"]
    pairs = sorted(set("".join(PARTS).encode()))
    ids = {}
    for name in names:
        with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
            write_vocabulary(file.name, name, pairs)
            parameters = llama.llama_model_default_params()
            parameters.bytes[VOCAB_ONLY] = 1
            vocabulary = llama.llama_model_get_vocab(llama.llama_model_load_from_file(file.name.encode(), parameters))
        ids[name] = []
        for text in texts:
            out = (C.c_int32 * 1000)()
            n = llama.llama_tokenize(vocabulary, text.encode(), len(text.encode()), out, 1000, False, False)
            ids[name].append(out[:n])
    with open("pretokenizers.json", "w") as file:
        lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(rows, separators=(',', ':'))}" for name, rows in ids.items())
        file.write('{"pairs": %s,\n"texts": %s,\n"ids": {\n%s\n}}\n' % (json.dumps(pairs), json.dumps(texts), lines))

main()
