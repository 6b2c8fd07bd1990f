"""The inner loops that LLVM makes of the default tiles: which instructions, how many for the work, and none too many.

What is counted is the text of one turn of the innermost loop, for the four stages of ResNet-18. Compiling for a target
needs no such CPU, and the shipped libraries have the same loops (deploy/codegen/build_kernels.py lowers as TVM does).
"""

import re
from functools import cache

import pytest
import tvm

from b2nn_tvm.ops.pack_signs import pack_signs
from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.assembly import innermost_loop, innermost_loops, spills
from tests.support.schedules.functions import binary_conv, float_conv, winograd

STAGES = {
    channels: ConvWorkload(1, channels, size, size, channels, (3, 3), padding=(1, 1, 1, 1))
    for channels, size in ((64, 56), (128, 28), (256, 14), (512, 7))
}
FMA = {
    "x86": r"vfmadd\d+ps .*%ymm",
    "x86-avx512": r"vfmadd\d+ps .*%zmm",
    "x86-vpopcntdq": r"vfmadd\d+ps .*%zmm",
    "arm": r"fmla v\d+\.4s",
}


@cache
def assembly(isa: str, make, workload: ConvWorkload) -> str:
    vector_unit = vector_unit_named(get(isa).vector)
    function, _ = schedule_function(
        make(workload, vector_unit.layout), vector_unit=vector_unit, records=Records(vector_unit.name)
    )
    return emit(isa, function)


def emit(isa: str, function) -> str:
    module = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
    return tvm.tirx.build(module, target=get(isa).tvm_target()).inspect_source("asm")


@pytest.mark.parametrize("stage", STAGES)
def test_vpopcntdq_takes_three_operations_and_half_a_broadcast(stage):
    text = assembly("x86-vpopcntdq", binary_conv, STAGES[stage])
    loop = innermost_loop(text, "vpopcntd")
    updates = loop.count(r"vpopcntd %zmm\d+, %zmm\d+")
    assert updates >= 14
    assert loop.count(r"vpxord .*%zmm\d+$") == loop.count(r"vpaddd .*%zmm\d+$") == updates
    # Two vectors of filters share a broadcast, seven pixels a vector of weights.
    assert loop.count("vpbroadcastd") + loop.count(r"vpxord .*\{1to16\}") == updates / 2
    assert loop.count(r"vmovdq\w+ .*%zmm\d+$") <= updates / 7
    assert len(loop.instructions) <= 4 * updates
    assert spills(loop) == 0
    assert not re.search(r"\tpopcnt", text)


def test_vpopcntdq_broadcasts_in_the_xor_where_one_vector_of_filters_reads():
    loop = innermost_loop(assembly("x86-vpopcntdq", binary_conv, ConvWorkload(1, 64, 14, 14, 16, (3, 3))), "vpopcntd")
    updates = loop.count(r"vpopcntd %zmm")
    assert updates >= 6
    assert loop.count(r"vpxord -?\d*\(\S+\)\{1to16\}, %zmm\d+, %zmm\d+") == updates
    assert loop.count("vpbroadcastd") == 0
    assert spills(loop) == 0


@pytest.mark.parametrize("isa, register", [("x86", "ymm"), ("x86-avx512", "zmm")])
@pytest.mark.parametrize("stage", STAGES)
def test_without_vpopcntdq_nibbles_of_two_rows_are_looked_up(stage, isa, register):
    """Nine operations for three look-ups, each of 8 MACs per filter: add twice, then add both halves and the high
    ones.
    """
    text = assembly(isa, binary_conv, STAGES[stage])
    loop = innermost_loop(text, rf"vpshufb .*%{register}")
    lookups = loop.count(rf"vpshufb .*%{register}")
    assert lookups >= 6 and lookups % 3 == 0
    assert loop.count(rf"vp(?!broadcast)\w+ .*%{register}") == 3 * lookups
    assert loop.count(rf"vpaddb .*%{register}") == 4 * lookups / 3
    assert loop.count(rf"vpsrlw .*%{register}") == loop.count(rf"vpand\w? .*%{register}") == lookups / 3
    assert loop.count(rf"vmovdq\w+ .*, %{register}\d+") <= lookups + 1
    assert spills(loop) == 0
    assert not re.search(r"\tpopcnt", text)


@pytest.mark.parametrize("make", [float_conv, winograd])
@pytest.mark.parametrize("isa", FMA)
@pytest.mark.parametrize("stage", STAGES)
def test_float_convolutions_are_fused_multiply_adds_of_whole_registers(stage, isa, make):
    loop = innermost_loop(assembly(isa, make, STAGES[stage]), FMA[isa])
    updates = loop.count(FMA[isa])
    assert updates >= 8
    assert loop.count(r"vmulps|vaddps|fmul|fadd|vfmadd\d+ss|fmadd") == 0
    assert len(loop.instructions) <= 2.5 * updates
    assert spills(loop) == 0


@pytest.mark.parametrize("size", [13, 31, 71])
@pytest.mark.parametrize("isa", ["x86", "x86-avx512"])
def test_of_a_prime_width_one_column_is_left_over_and_nothing_else_suffers(isa, size):
    """The loop over tiles is cut in front of the last one: no comparison is left in a loop, and no vector is on the
    stack.
    """
    text = assembly(isa, float_conv, ConvWorkload(1, 64, size, size, 64, (3, 3), padding=(1, 1, 1, 1)))
    loops = [loop for loop in innermost_loops(text) if loop.count(FMA[isa])]
    assert max(loop.count(FMA[isa]) for loop in loops) >= 10
    assert sum(map(spills, loops)) == 0


@pytest.mark.parametrize(
    "isa, multiply",
    [
        ("x86", r"\tvmulps\t.*%ymm"),
        ("x86-avx512", r"\tvmulps\t.*%zmm"),
        ("x86-vpopcntdq", r"\tvmulps\t.*%zmm"),
        ("arm", r"\tfmul\tv\d+\.4s"),
    ],
)
def test_the_epilogue_works_on_whole_registers(isa, multiply):
    """Each of the results of a tile is scaled once: 2 x 2 pixels of 32 filters."""
    text = assembly(isa, binary_conv, ConvWorkload(1, 64, 2, 2, 32, (3, 3), padding=(1, 1, 1, 1)))
    lanes = vector_unit_named(get(isa).vector).layout.float_lanes
    assert 1 <= len(re.findall(multiply, text)) <= 4 * 32 // lanes
    assert not re.search(r"\tvmulss|\tfmul\ts\d", text)


@pytest.mark.parametrize(
    "isa, compare, to_bits, width",
    [
        ("x86-vpopcntdq", r"vcmp\w+ps .*%zmm\d+, %k\d", r"kmovd %k\d, ", 16),
        ("x86-avx512", r"vcmp\w+ps .*%ymm\d+, %k\d", r"kmovb %k\d, ", 8),
        ("x86", r"vcmp\w+ps .*%ymm\d+, %ymm\d", r"vmovmskps %ymm\d+, ", 8),
        ("arm", r"fcmge v\d+\.4s", r"addv h\d+, ", 4),
    ],
)
def test_signs_are_packed_by_compares(isa, compare, to_bits, width):
    channels, word = 128, vector_unit_named(get(isa).vector).layout.word
    text = emit(isa, pack_signs((1, 28, 28, channels), (1, 1, 1, 1), word=word, pad_value=0))
    loop = innermost_loop(text, compare)
    pixels = loop.count(compare) * width / channels
    assert pixels in (1, 2)
    assert loop.count(to_bits) == pixels * channels / {"uint8": 8, "uint32": 32}[word]
    assert loop.count(r"set\w+ |cset|v?comiss|fcmp") == 0
    assert len(loop.instructions) <= 5 * pixels * channels / width


TEXT = """
outer:                                  # @outer
	xorl	%eax, %eax                      # a comment
.LBB0_1:
	vmovaps	(%rsp), %zmm0
.LBB0_2:                                # =>  This Inner Loop Header
	vpopcntd	%zmm1, %zmm1
	je	.LBB0_3
	vpopcntd	%zmm2, %zmm2
.LBB0_3:
	.p2align	4
	jne	.LBB0_2
	cmpq	%rax, %rbx
	jne	.LBB0_1
	retq
	ld1r	{ v0.16b }, [x1], #1            // =16
.LBB1_4:
	cnt	v0.16b, v0.16b
	cbz	x0, .LBB1_4
	b	.LBB1_5
.LBB1_5:
	ret
"""


def test_the_parser_finds_innermost_loops():
    first, second = innermost_loops(TEXT)
    assert first.label == ".LBB0_2" and second.label == ".LBB1_4"
    assert first.instructions == ("vpopcntd %zmm1, %zmm1", "je .LBB0_3", "vpopcntd %zmm2, %zmm2", "jne .LBB0_2")
    assert second.instructions == ("cnt v0.16b, v0.16b", "cbz x0, .LBB1_4")
    assert innermost_loop(TEXT, "vpopcntd") is not None and innermost_loop(TEXT, "cnt").label == ".LBB1_4"
    assert first.count(r"vpopcntd %zmm\d, %zmm1") == 1
    with pytest.raises(LookupError, match="fmla"):
        innermost_loop(TEXT, "fmla")


@pytest.mark.parametrize(
    "instruction, spilled",
    [
        ("vmovaps %zmm3, 128(%rsp)", 1),
        ("vpxord (%rsp,%rax), %zmm1, %zmm2", 1),
        ("stp q18, q20, [sp, #288]", 1),
        ("movq 8(%rsp), %rax", 0),
        ("vmovaps 8(%rdi), %zmm0", 0),
        ("ldp x9, x10, [sp, #272]", 0),
    ],
)
def test_spills_are_vectors_on_the_stack(instruction, spilled):
    (loop,) = innermost_loops(f"loop:\n\t{instruction}\n\tjne loop\n")
    assert spills(loop) == spilled
