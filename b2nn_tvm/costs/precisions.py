"""How many bits each precision has, and what a layer counts in it: the words are those of plans.

    multiply-accumulates of one 64-bit operation    float 1, int8 8 (its lanes), bitserial 64 / (weight bits * input
                                                    bits): an xnor and popcount for each pair of planes

The 64 of a binary layer is the MixBin paper's convention (section 4); the others continue it. None is a measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from b2nn_tvm.errors import InputError

WORD = 64

# (bits of the weights, bits of the input) of every precision whose input and weights are whole numbers times scales.
BITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"binary": (1, 1), "int8": (8, 8), "w1a2": (1, 2), "w2a2": (2, 2)}
)
LANES = 8  # of int8 in a word
FLOAT_BITS = 32

# The precisions of each number of bits that a user may give; the words of precisions themselves are understood, too.
WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"1": ("binary",), "2": ("w1a2", "w2a2"), "8": ("int8",), "32": ("float",)}
)
BINARY_OR_FLOAT = ("binary", "float")  # the precisions of a search of which nothing else is said


def parse_precisions(words: str | Iterable[str]) -> tuple[str, ...]:
    """The precisions that ``words`` name, such as "1,2,8,32" or ("int8", "float"), by ascending bits, each once.

    Raises InputError for an unknown word, and where float or everything else is missing.
    """
    given = [word.strip() for word in (words.split(",") if isinstance(words, str) else words)]
    in_order = [precision for precisions in WORDS.values() for precision in precisions]
    unknown = [word for word in given if word not in WORDS and word not in in_order]
    if unknown:
        raise InputError(
            f"unknown precision {', '.join(map(repr, unknown))}; give some of the bits {', '.join(WORDS)}, or of"
            f" {', '.join(in_order)}, with commas between"
        )
    named = {precision for word in given for precision in WORDS.get(word, (word,))}
    if "float" not in named or len(named) == 1:
        raise InputError(
            f"precisions: expected 32, because some layers always stay float, and at least one other, but got"
            f" {','.join(given) or 'none'}; write them as 1,8,32"
        )
    return tuple(precision for precision in in_order if precision in named)


def counted_flops(macs: int, precision: str) -> int:
    """The operations that a layer of ``macs`` multiply-accumulates counts in one of BITS, rounded up."""
    weight_bits, input_bits = BITS[precision]
    at_once = LANES if precision == "int8" else WORD // (weight_bits * input_bits)
    return -(-macs // at_once)


def room(precision: str) -> float:
    """The share that weights in this precision, or in "float", fill of the room that float weights need beyond that of
    single bits: from 0 to 1.
    """
    bits = FLOAT_BITS if precision == "float" else BITS[precision][0]
    return (bits - 1) / (FLOAT_BITS - 1)


def stored_bytes(weights_per_tap: int, taps: int, out_channels: int, precision: str) -> int:
    """The bytes of a layer's weights in one of BITS: whole bytes per tap and plane, and a 4-byte scale per filter."""
    bits, _ = BITS[precision]
    per_tap = weights_per_tap if precision == "int8" else bits * -(-weights_per_tap // 8)
    return out_channels * (taps * per_tap + 4)
