"""The loops that LLVM makes of expanding weights: whole vectors, a bit test and a choice for each, no register
spilled.
"""

import re
from functools import cache

import pytest
import tvm
from tvm import te

from b2nn_tvm.ops.expand_weights import expand_weights, expand_winograd_weights
from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.targets.target import get
from tests.support.schedules.assembly import Loop, innermost_loops, spills

STORE = {
    "x86": r"vmov[au]ps %ymm\d+, -?\d*\(",
    "x86-avx512": r"vmov[au]ps %zmm\d+, -?\d*\(",
    "x86-vpopcntdq": r"vmov[au]ps %zmm\d+, -?\d*\(",
    "arm": r"stp? q\d+|str q\d+",
    "armv7": r"vst1\.\d+ ",
}
CHOOSE = {
    "x86": "vblendvps",
    "x86-avx512": "vblendmps",
    "x86-vpopcntdq": "vblendmps",
    "arm": r"b(?:sl|it|if) v",
    "armv7": r"vb(?:sl|it|if) ",
}
SCALAR = r"v?(?:mul|add|sub)ss|vfm\w+ss|f(?:mul|add|sub|madd) s\d|vmov\.32 d\d+\[|set\w+ |cset|csel"


@cache
def loops(isa: str, form: str) -> tuple[Loop, ...]:
    """The innermost loops that store vectors, of 64 filters of 64 channels, 3x3."""
    lanes = vector_unit_named(get(isa).vector).layout.conv_lanes(64)
    word = max(8, lanes)
    bits = te.placeholder((64 // lanes, 3, 3, 64 * lanes // word), f"uint{word}", name="bits")
    expand = {"direct": expand_weights, "winograd": lambda bits, **sizes: expand_winograd_weights(bits, **sizes, m=2)}[
        form
    ]
    function = te.create_prim_func([bits, expand(bits, channels=64, lanes=lanes)])
    vector_unit = vector_unit_named(get(isa).vector)
    function, description = schedule_function(function, vector_unit=vector_unit, records=Records(vector_unit.name))
    assert description == "expand"
    module = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
    text = tvm.tirx.build(module, target=get(isa).tvm_target()).inspect_source("asm")
    kernel = text[re.search(r"^main_compute_:", text, re.MULTILINE).start() :]
    return tuple(loop for loop in innermost_loops(kernel) if loop.count(STORE[isa]))


def stored(isa: str, loop: Loop) -> int:
    """Vectors that a turn of the loop stores."""
    return loop.count(STORE[isa]) + (loop.count("stp q") if isa == "arm" else 0)


@pytest.mark.parametrize("isa", STORE)
def test_a_vector_of_weights_is_a_choice_by_its_bits(isa):
    (loop,) = loops(isa, "direct")
    vectors = stored(isa, loop)
    assert vectors >= 1
    assert loop.count(CHOOSE[isa]) == vectors
    assert loop.count(SCALAR) == spills(loop) == 0
    assert len(loop.instructions) <= (13 if isa == "armv7" else 7) * vectors


@pytest.mark.parametrize("isa", STORE)
def test_transformed_filters_are_made_in_registers(isa):
    """Twelve halves of nine signs, then sums of these; no loop has more than its loads, sums and stores."""
    first, *second = loops(isa, "winograd")
    assert stored(isa, first) % 12 == 0
    assert 9 * stored(isa, first) / 12 <= first.count(CHOOSE[isa])
    assert second
    for loop in (first, *second):
        assert loop.count(SCALAR) == spills(loop) == 0
        assert len(loop.instructions) <= (15 if isa == "armv7" else 10) * stored(isa, loop)
