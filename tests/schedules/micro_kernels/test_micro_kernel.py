"""The code of a micro-kernel: its name, and how a tile's parts are grouped."""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.dot_x86 import Avx2DotKernel
from b2nn_tvm.schedules.micro_kernels.micro_kernel import kernel_ir, split_evenly
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.schedules.tiles.window_tile import WindowTile
from tests.support.schedules.micro_kernels import popcount_tile

UNITS = ("neon", "neon_armv7")


@pytest.mark.parametrize("name", UNITS)
def test_equal_code_has_an_equal_name(name):
    """Layers of one shape share the function, whatever is fused behind them."""
    make = vector_unit_named(name).popcount
    first, again, other = (kernel_ir(make(popcount_tile(size)))[0] for size in (8, 8, 16))
    assert first == again != other


@pytest.mark.parametrize(
    ("count", "most", "sizes"), [(1, 8, [1]), (8, 8, [8]), (9, 8, [4, 5]), (14, 4, [3, 4, 3, 4]), (7, 3, [2, 2, 3])]
)
def test_a_tile_is_split_into_the_fewest_groups_of_nearly_equal_sizes(count, most, sizes):
    groups = split_evenly(count, most)
    assert [len(group) for group in groups] == sizes
    assert [number for group in groups for number in group] == list(range(count))


def test_the_function_names_its_registers_and_its_scratch_memory():
    kernel = vector_unit_named("neon").popcount(popcount_tile(8))
    name, text = kernel_ir(kernel)
    assert text.startswith(f"define linkonce_odr hidden i32 @{name}(ptr %x, ptr %w, ptr %y) ")
    assert f"alloca [{kernel.scratch_bytes} x i8], align 16" in text
    assert '"{x0},{x1},{x2},{x3},~{x4},' in text and text.count("\n") == 5
    assert kernel.assembly().count("\n") == text.count("\\0A\\09")


def test_a_kernel_that_reads_ahead_is_given_a_number():
    tile = WindowTile(pixels=(0,), runs=(0,), run_bytes=64, rows=1, row_stride=64, blocks=1, lanes=8)
    for calls, arguments in ((0, "ptr %x, ptr %w, ptr %y"), (3, "ptr %x, ptr %w, ptr %y, i32 %s")):
        name, text = kernel_ir(Avx2DotKernel(tile, calls))
        assert text.startswith(f"define linkonce_odr hidden i32 @{name}({arguments}) ")
        assert ("alloca" in text) == (calls == 0)
