"""llama.cpp's own quantizer: llama_model_quantize of the prebuilt libllama that package.json pins, through ctypes."""
import ctypes as c
import pathlib
import re

HERE = pathlib.Path(__file__).parent


class ImatrixData(c.Structure):  # llama_model_imatrix_data
    _fields_ = [("name", c.c_char_p), ("data", c.POINTER(c.c_float)), ("size", c.c_size_t)]


class TypeOverride(c.Structure):  # llama_model_tensor_override
    _fields_ = [("pattern", c.c_char_p), ("type", c.c_int)]


class Params(c.Structure):  # llama_model_quantize_params
    _fields_ = [
        ("nthread", c.c_int32), ("ftype", c.c_int), ("output_tensor_type", c.c_int), ("token_embedding_type", c.c_int),
        ("allow_requantize", c.c_bool), ("quantize_output_tensor", c.c_bool), ("only_copy", c.c_bool), ("pure", c.c_bool),
        ("keep_split", c.c_bool), ("dry_run", c.c_bool), ("imatrix", c.POINTER(ImatrixData)), ("kv_overrides", c.c_void_p),
        ("tt_overrides", c.POINTER(TypeOverride)), ("prune_layers", c.c_void_p)]


class Quantizer:
    def __init__(self, modules=None):
        folder = pathlib.Path(modules or HERE / "node_modules") / "@node-llama-cpp/linux-x64/bins/linux-x64"
        for name in ("libggml-base.so", "libggml.v*.so"):
            c.CDLL(str(next(folder.glob(name))), mode=c.RTLD_GLOBAL)
        self.lib = c.CDLL(str(next(folder.glob("libllama.v*.so"))))
        self.lib.llama_model_quantize_default_params.restype = Params
        self.lib.llama_model_quantize.argtypes = [c.c_char_p, c.c_char_p, c.POINTER(Params)]
        self.log = []
        callback = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)
        self.keep = callback(lambda level, message, _: self.log.append(message.decode(errors="replace")))
        self.lib.llama_log_set(self.keep, None)

    def run(self, source, target, ftype, imatrix=None, overrides=(), **params):
        """True when done. `imatrix`: {name: [floats]}; `overrides`: (pattern, ggml type id)."""
        self.log.clear()
        p = self.lib.llama_model_quantize_default_params()
        p.nthread, p.ftype = 1, ftype
        for key, v in params.items():
            setattr(p, key, v)
        if imatrix is not None:
            rows = [ImatrixData(name.encode(), (c.c_float * len(v))(*v), len(v)) for name, v in imatrix.items()]
            p.imatrix = (ImatrixData * (len(rows) + 1))(*rows)
        if overrides:
            rows = [TypeOverride(pattern.encode(), kind) for pattern, kind in overrides]
            p.tt_overrides = (TypeOverride * (len(rows) + 1))(*rows)
        return self.lib.llama_model_quantize(str(source).encode(), str(target).encode(), c.byref(p)) == 0

    def types(self, source, ftype, **options):
        """{tensor: type in capitals} of a dry run, from what it logs; None when it refuses."""
        if not self.run(source, "unused", ftype, dry_run=True, **options):
            return None
        found = {}
        line = re.compile(r"\[ *\d+/ *\d+\] (\S+) +- \[[^]]*\], type = +(\w+), size = .*?(?:\((\w+)\))?\n")
        for name, old, new in line.findall("".join(self.log)):
            found[name] = (new or old).upper()
        return found
