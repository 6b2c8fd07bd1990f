"""The sizes of the parts of a compiled library, which account for every byte of its file."""

from __future__ import annotations

from collections.abc import Sequence

from b2nn_tvm.deploy.codegen.program import LayerRow, Program
from b2nn_tvm.deploy.library.elf import ElfFile
from b2nn_tvm.deploy.library.manifest import Sizes
from b2nn_tvm.provenance.kernel_layers import is_in_bits

# Field of Sizes -> its words in tables, in the order of the tables.
PARTS = {
    "packed_weights": "packed weights of binary and bitserial layers",
    "weight_binary_weights": "packed weights of weight-binary layers",
    "binary_constants": "scales, thresholds and borders of these layers",
    "float_weights": "weights of float and int8 layers",
    "other_constants": "other constants, and their alignment",
    "kernel_code": "code of the kernels",
    "runtime_code": "code of the runtime",
    "tables": "tables and literals",
    "linking": "symbols and relocations",
    "padding": "headers and padding",
}


def library_sizes(programs: Sequence[Program], library: ElfFile, *, kernel_code_bytes: int, size_bytes: int) -> Sizes:
    """The sizes of the parts of a library of ``size_bytes``, which was linked from ``kernel_code_bytes`` of code
    of kernels and the constants that all ``programs`` have in common (share_constants).
    """
    rows = [row for program in programs for row in program.layers]
    constant_bytes = len(programs[0].constants)
    binary = [row for row in rows if is_in_bits(row.precision)]
    packed, of_binary = _weights(binary), sum(row.size_bytes for row in binary)
    weight_binary = _weights([row for row in rows if row.precision == "weight-binary"])
    float_weights = _weights([row for row in rows if row.precision in ("float", "int8")])
    return Sizes(
        library=size_bytes,
        packed_weights=packed,
        weight_binary_weights=weight_binary,
        binary_constants=of_binary - packed,
        float_weights=float_weights,
        other_constants=constant_bytes - of_binary - weight_binary - float_weights,
        kernel_code=kernel_code_bytes,
        runtime_code=library.code_bytes - kernel_code_bytes,
        tables=library.data_bytes - constant_bytes,
        linking=library.linking_bytes,
        padding=library.padding_bytes,
    )


def _weights(rows: list[LayerRow]) -> int:
    return sum(row.weight_bytes for row in rows)
