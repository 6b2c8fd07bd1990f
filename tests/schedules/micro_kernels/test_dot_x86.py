"""The 8-bit micro-kernels for x86-64: their smallest tiles word for word, and which instructions whole layers get."""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.dot_x86 import Avx2DotKernel, Avx512DotKernel, AvxVnniDotKernel, VnniDotKernel
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import window_tile
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.codes import int8_conv
from tests.support.schedules.assembly import innermost_loop
from tests.support.schedules.compiled import STAGES, assembly

# The products of a whole register.
PRODUCTS = {
    "x86": r"vpmaddwd .*%ymm",
    "x86-avxvnni": r"(\{vex\}\s)?vpdpbusd .*%ymm",
    "x86-avx512": r"vpmaddwd .*%zmm",
    "x86-vpopcntdq": r"vpdpbusd .*%zmm",
}
POINTWISE = ConvWorkload(1, 256, 14, 14, 256, (1, 1))


def tile(size: int, *, pixels: int = 1, blocks: int = 1, lanes: int = 16, kernel: int = 1, dilation: int = 1):
    """Pixels of ``size`` bytes beside one another, of an image of 9x30."""
    return window_tile(
        (1, 9, 30, size),
        (kernel, kernel),
        stride=(1, 1),
        dilation=(dilation, dilation),
        tile=Tile(1, pixels, blocks),
        lanes=lanes,
    )


def test_one_word_of_one_pixel_by_vnni():
    assert VnniDotKernel(tile(4)).assembly().splitlines() == [
        *("lea 0(%rdi), %r8", "lea 0(%rsi), %r9", "vpxord %zmm0, %zmm0, %zmm0"),
        *("vmovdqu32 0(%r9), %zmm2", "vpbroadcastd 0(%r8), %zmm1", "vpdpbusd %zmm2, %zmm1, %zmm0"),
        *("lea 4(%r8), %r8", "lea 64(%r9), %r9", "lea 116(%r8), %r8", "vmovdqu32 %zmm0, 0(%rdx)"),
    ]


def test_without_vnni_pairs_are_added_to_the_sums():
    for kernel, register in ((Avx512DotKernel, "zmm"), (Avx2DotKernel, "ymm")):
        lines = kernel(tile(4, lanes=16 if register == "zmm" else 8)).assembly().splitlines()
        assert f"vpmaddwd %{register}3, %{register}2, %{register}1" in lines
        assert f"vpaddd %{register}1, %{register}0, %{register}0" in lines


def test_a_product_of_avx_vnni_is_encoded_without_avx512():
    lines = AvxVnniDotKernel(tile(4, lanes=8)).assembly().splitlines()
    assert "{vex} vpdpbusd %ymm2, %ymm1, %ymm0" in lines


def test_weights_without_a_register_are_read_from_memory():
    lines = VnniDotKernel(tile(4, pixels=7, blocks=4)).assembly().splitlines()
    products = [line.split()[1].rstrip(",") for line in lines if line.startswith("vpdpbusd")]
    assert products == ["%zmm29", "%zmm30", "%zmm31", "192(%r9)"] * 7


def test_a_call_brings_its_share_of_the_next_weights_near():
    """A block of 64 filters by 32 words: 128 lines of 64 bytes. Each of four calls has 32 of them, two in a turn."""
    kernel = VnniDotKernel(tile(128, pixels=7, blocks=4), calls=4)
    lines = kernel.assembly().splitlines()
    assert kernel.reads_ahead and lines[2:5] == [
        *("movslq %ecx, %rax", "imul $$2048, %rax, %rax", "lea 8192(%rsi,%rax), %rax")
    ]
    turn = lines[lines.index(".Lb2nn_${:uid}_1:") :]
    assert turn[1:4] == ["prefetcht1 0(%rax)", "prefetcht1 64(%rax)", "lea 128(%rax), %rax"]
    assert not VnniDotKernel(tile(128)).reads_ahead


def test_a_tile_of_more_sums_than_registers_is_refused():
    with pytest.raises(ValueError, match="8 pixels by 4 blocks need more than 32 registers"):
        VnniDotKernel(tile(4, pixels=8, blocks=4)).assembly()


def test_runs_and_rows_move_the_image_on():
    """Of a 3x3 window with gaps: three runs of one word, 8 bytes apart, and rows that are 240 bytes apart."""
    lines = VnniDotKernel(tile(4, kernel=3, dilation=2)).assembly().splitlines()
    assert lines[3:5] == ["mov $$3, %r10", ".Lb2nn_${:uid}_1:"]
    moves = [int(line.split("(")[0].split()[1]) for line in lines if line.startswith("lea") and line.endswith("%r8")]
    assert moves == [0, 4, 4, 4, 4, 4, 220]
    assert lines[-3:-1] == ["dec %r10", "jnz .Lb2nn_${:uid}_1"]


@pytest.mark.parametrize("isa", PRODUCTS)
@pytest.mark.parametrize(
    "workload", [POINTWISE, *(pytest.param(stage, marks=pytest.mark.sweep) for stage in STAGES.values())]
)
def test_layers_are_sums_of_products_of_whole_registers(workload, isa):
    loop = innermost_loop(assembly(isa, int8_conv, workload), PRODUCTS[isa])
    count, broadcasts, loads = (loop.count(name) for name in (PRODUCTS[isa], "vpbroadcastd", "vmovdqu"))
    assert count >= 14 and broadcasts <= count / 2 and loads < count
    assert len(loop.instructions) <= count * (2 if "vpmaddwd" in PRODUCTS[isa] else 1) + broadcasts + loads + 8
    assert loop.count(r"vpmulld|vpmovzx|vpmovsx|vpunpck") == 0
