#!/usr/bin/env python3
"""Writes tests/golden/sampling/chains.json: what llama.cpp's own sampler stages leave of given logits.

Usage: sampler_golden.py OUT.json [NODE_MODULES]. Calls the C interface of the prebuilt libllama that package.json pins;
needed only to renew the golden data.
"""
import ctypes as c
import json
import math
import pathlib
import random
import struct
import sys

HERE = pathlib.Path(__file__).parent
N = 40


class TokenData(c.Structure):
    _fields_ = [("id", c.c_int32), ("logit", c.c_float), ("p", c.c_float)]


class TokenDataArray(c.Structure):
    _fields_ = [("data", c.POINTER(TokenData)), ("size", c.c_size_t), ("selected", c.c_int64), ("sorted", c.c_bool)]


def open_library(modules):
    folder = pathlib.Path(modules) / "@node-llama-cpp/linux-x64/bins/linux-x64"
    for name in ("libggml-base.so", "libggml.v*.so"):
        c.CDLL(str(next(folder.glob(name))), mode=c.RTLD_GLOBAL)
    return c.CDLL(str(next(folder.glob("libllama.v*.so"))))


f, i, z = c.c_float, c.c_int32, c.c_size_t
SIGNATURES = {  # of llama_sampler_init_<name>
    "penalties": [i, i, f, f, f],
    "top_n_sigma": [f],
    "top_k": [i],
    "typical": [f, z],
    "top_p": [f, z],
    "min_p": [f, z],
    "xtc": [f, f, z, c.c_uint32],
    "temp": [f],
    "temp_ext": [f, f, f],
    "dry": [c.c_void_p, f, f, i, i, c.c_void_p, z],
}
FIELDS = {  # SamplingParams fields -> (stage, arguments)
    "penalties": lambda p: ("penalties", N, p["repeat_last_n"], p["repeat_penalty"], p["frequency_penalty"], p["presence_penalty"]),
    "dry": lambda p: ("dry", None, p["dry_multiplier"], p["dry_base"], p["dry_allowed_length"], p["dry_penalty_last_n"], None, 0),
    "top_n_sigma": lambda p: ("top_n_sigma", p["top_n_sigma"]),
    "top_k": lambda p: ("top_k", p["top_k"]),
    "typ_p": lambda p: ("typical", p["typical"], 0),
    "top_p": lambda p: ("top_p", p["top_p"], 0),
    "min_p": lambda p: ("min_p", p["min_p"], 0),
    "xtc": lambda p: ("xtc", p["xtc_probability"], p["xtc_threshold"], 0, 1),
    "temperature": lambda p: ("temp_ext", p["temperature"], p["dynatemp_range"], p["dynatemp_exponent"]),
}
DEFAULTS = dict(
    temperature=1.0, dynatemp_range=0.0, dynatemp_exponent=1.0, top_k=0, top_p=1.0, min_p=0.0, typical=1.0, top_n_sigma=-1.0,
    xtc_probability=0.0, xtc_threshold=0.1, repeat_last_n=64, repeat_penalty=1.0, presence_penalty=0.0, frequency_penalty=0.0,
    dry_multiplier=0.0, dry_base=1.75, dry_allowed_length=2, dry_penalty_last_n=64)
ORDER = "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"


def run(library, logits, params, history, order):
    """The candidates that the stages leave: [[id, logit], ...] in id order."""
    data = (TokenData * N)(*[TokenData(k, logit, 0) for k, logit in enumerate(logits)])
    array = TokenDataArray(c.cast(data, c.POINTER(TokenData)), N, -1, False)
    for stage in order.split(";"):
        name, *arguments = FIELDS[stage](params)
        init = getattr(library, "llama_sampler_init_" + name)
        init.argtypes, init.restype = SIGNATURES[name], c.c_void_p
        sampler = init(*arguments)
        for token in history:
            library.llama_sampler_accept(c.c_void_p(sampler), c.c_int32(token))
        library.llama_sampler_apply(c.c_void_p(sampler), c.byref(array))
        library.llama_sampler_free(c.c_void_p(sampler))
    left = [(array.data[k].id, array.data[k].logit) for k in range(array.size)]
    return sorted([k, logit] for k, logit in left if logit != -math.inf)


def main():
    out = pathlib.Path(sys.argv[1])
    library = open_library(sys.argv[2] if len(sys.argv) > 2 else HERE / "node_modules")
    random.seed(20)
    f32 = lambda x: struct.unpack("f", struct.pack("f", x))[0]
    shapes = {
        "wide": [f32(random.gauss(0, 3)) for _ in range(N)],
        "flat": [f32(random.gauss(0, 0.3)) for _ in range(N)],
        "peak": [f32(random.gauss(0, 1) + (8 if k == 17 else 0)) for k in range(N)],
    }
    history = [random.randrange(12) for _ in range(30)] + [5, 6, 7, 8, 20, 5, 6, 7, 9, 5, 6, 7]
    settings = [({}, ORDER)]
    single = {
        "top_k": [1, 7, 40, 100], "top_p": [0.0, 0.3, 0.9, 0.999], "min_p": [0.01, 0.2, 1.0], "typical": [0.1, 0.5, 0.95],
        "top_n_sigma": [0.5, 1.0, 2.5], "temperature": [0.1, 0.8, 2.0], "xtc_threshold": [0.02, 0.1, 0.3],
        "dynatemp_range": [0.5, 1.0], "repeat_penalty": [0.8, 1.3], "frequency_penalty": [0.4, -0.2], "presence_penalty": [0.7],
        "repeat_last_n": [0, 3, 20], "dry_multiplier": [0.8], "dry_allowed_length": [1, 3], "dry_penalty_last_n": [8, 20],
    }
    needs = {"xtc_threshold": {"xtc_probability": 1.0}, "repeat_last_n": {"repeat_penalty": 1.2},
             "dry_allowed_length": {"dry_multiplier": 1.1}, "dry_penalty_last_n": {"dry_multiplier": 0.5, "dry_base": 1.2},
             "dynatemp_range": {"dynatemp_exponent": 1.7}}
    for field, values in single.items():
        settings += [({**needs.get(field, {}), field: value}, ORDER) for value in values]
    settings.append((dict(temperature=0.8, top_k=20, top_p=0.95, min_p=0.05), ORDER))
    settings.append((dict(temperature=0.7, top_k=30, top_p=0.9, min_p=0.02, typical=0.9, repeat_penalty=1.1, frequency_penalty=0.1,
                          presence_penalty=0.2, dry_multiplier=0.6, top_n_sigma=3.0, dynatemp_range=0.3), ORDER))
    settings.append((dict(temperature=1.5, top_k=10, min_p=0.1, top_p=0.8), "temperature;min_p;top_p;top_k"))
    settings.append((dict(temperature=0.5, repeat_penalty=1.4, top_p=0.7), "top_p;penalties;temperature"))
    cases = []
    for shape, logits in shapes.items():
        for change, order in settings:
            cases.append({"logits": shape, "params": change, "samplers": order,
                          "left": run(library, logits, {**DEFAULTS, **change}, history, order)})
    text = {"reference": "llama.cpp v0.5.0", "defaults": DEFAULTS, "logits": shapes, "history": history, "cases": cases}
    lines = json.dumps(text).replace('{"logits": "', '\n{"logits": "')
    out.write_text(lines + "\n")


main()
