"""The inner loops that LLVM makes of the default tiles: which instructions, how many for the work, and none too many.

What is counted is the text of one turn of the innermost loop, for the four stages of ResNet-18. Compiling for a target
needs no such CPU, and the shipped libraries have the same loops (deploy/codegen/build_kernels.py lowers as TVM does).
"""

import pytest

from b2nn_tvm.ops.pack_signs import pack_signs
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.schedules.templates.pack_signs import pack_signs_loops
from b2nn_tvm.targets.target import get
from tests.support.schedules.assembly import innermost_loop, innermost_loops, spills
from tests.support.schedules.compiled import FMA, STAGES, assembly, emit
from tests.support.schedules.functions import float_conv, winograd
from tests.support.sweep import few


@pytest.mark.parametrize("make", [float_conv, winograd])
@pytest.mark.parametrize("isa", FMA)
@pytest.mark.parametrize("stage", few(STAGES, (64, 512)))
def test_float_convolutions_are_fused_multiply_adds_of_whole_registers(stage, isa, make):
    loop = innermost_loop(assembly(isa, make, STAGES[stage]), FMA[isa])
    updates = loop.count(FMA[isa])
    assert updates >= 8
    assert loop.count(r"vmulps|vaddps|fmul|fadd|vfmadd\d+ss|fmadd") == 0
    assert len(loop.instructions) <= 2.5 * updates
    assert spills(loop) == 0


@pytest.mark.parametrize(
    ("isa", "compare", "to_bits", "width"),
    [
        ("x86-vpopcntdq", r"vcmp\w+ps .*%zmm\d+, %k\d", r"kmovd %k\d, ", 16),
        ("x86-avx512", r"vcmp\w+ps .*%ymm\d+, %k\d", r"kmovb %k\d, ", 8),
        ("x86", r"vcmp\w+ps .*%ymm\d+, %ymm\d", r"vmovmskps %ymm\d+, ", 8),
        ("arm", r"fcmge v\d+\.4s", r"addv h\d+, ", 4),
    ],
)
def test_signs_are_packed_by_compares(isa, compare, to_bits, width):
    channels, word = 128, vector_unit_named(get(isa).vector).layout.word
    text = emit(isa, pack_signs_loops(pack_signs((1, 28, 28, channels), (1, 1, 1, 1), word=word, pad_value=0)))
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
    ("instruction", "spilled"),
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
