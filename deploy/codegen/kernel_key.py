"""The key of a kernel: equal keys mean equal machine code, down to the last byte."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import tvm
import tvm_ffi
from tvm import tirx

from b2nn_tvm.deploy.codegen import keep_tiles_on_stack
from b2nn_tvm.kernel_attrs import BORDER, BORDERED, OPERATIONS, PAD_VALUE, ROLE
from b2nn_tvm.tvm_internals import function_graph, lowering_pipeline, vector_rounding
from b2nn_tvm.version import __version__

# The attributes of a function that say something to passes, schedules and people, but nothing to the code generator.
_NOTES = (ROLE, OPERATIONS, BORDER, BORDERED, PAD_VALUE, "op_pattern", "global_symbol")
FOLDER = Path(__file__).parent
_GENERATOR = ("build_kernels.py", "kernel_key.py")


def kernel_key(function: tirx.PrimFunc, target: tvm.target.Target) -> str:
    """SHA-256, in hexadecimal digits, over the whole content of a scheduled ``function`` but for its names and notes,
    over the target with all its options, and over the versions of everything that generates code.
    """
    digest = hashlib.sha256(compiler_versions().encode())
    bare = without_notes(function)
    # TVM's own hash has 64 bits and stands beside the text as a second witness, should the text leave something out.
    for text in (f"{target} {target.host}", str(tvm_ffi.structural_hash(bare)), function_graph.canonical_text(bare)):
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()


def without_notes(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """The function without the attributes that its code does not depend on."""
    for name in _NOTES:
        if name in (function.attrs or {}):
            function = function.without_attr(name)
    return function


@cache
def compiler_versions() -> str:
    """The versions of this package, of TVM and of LLVM, and the digest of the files that lower kernels."""
    files = [FOLDER / name for name in _GENERATOR]
    parts = (keep_tiles_on_stack, function_graph, lowering_pipeline, vector_rounding)
    files += [Path(str(part.__file__)) for part in parts]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    llvm = tvm.get_global_func("target.llvm_version_major")()
    return " ".join([__version__, str(tvm.__version__), str(llvm), *digests])
