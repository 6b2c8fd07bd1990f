"""The assembly of the binary convolution: its registers, its sums of bytes, and the code where it is put. That it is
exact is tested where it runs (tests/arm).
"""

import re

import pytest
from tvm.s_tir import Schedule

from b2nn_tvm.schedules.micro_kernels.micro_kernel import kernel_ir
from b2nn_tvm.schedules.schedule_module import apply_tile, find_anchor, vector_unit_named
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import WindowTile, window_tile
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.functions import binary_conv
from tests.support.schedules.registers import check_registers

UNITS = ("neon", "neon_armv7")


def tile_of(size: int, *, pixels: int = 4, lanes: int = 64, kernel: int = 3, dilation: int = 1) -> WindowTile:
    image = (1, 9, 9, size)
    return window_tile(
        image, (kernel, kernel), stride=(1, 1), dilation=(dilation, dilation), tile=Tile(1, pixels, 1), lanes=lanes
    )


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("size", range(1, 66))
def test_the_chunks_of_a_run_are_its_bytes_and_cannot_overflow(name, size):
    for kernel in (1, 3, 5):
        for dilation in (1, 2):
            tile = tile_of(size, kernel=kernel, dilation=dilation)
            popcount = vector_unit_named(name).popcount(tile)
            assert len(tile.runs) * sum(popcount.chunks_of_run) == kernel * size
            assert max(popcount.chunks_of_run) * 8 <= 255
            assert popcount.chunks == kernel * len(tile.runs) * len(popcount.chunks_of_run)


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("lanes", [16, 32, 48, 64])
def test_the_registers_are_those_that_are_declared(name, lanes):
    make = vector_unit_named(name).popcount
    for pixels in range(1, 9):
        for size in (1, 2, 3, 7, 8, 12, 31, 64):
            kernel = make(tile_of(size, pixels=pixels, lanes=lanes))
            check_registers(kernel)
            assert [number for group in kernel.groups for number in group] == list(range(pixels))


@pytest.mark.parametrize("name", UNITS)
def test_long_filters_are_summed_for_fewer_pixels_at_a_time(name):
    """The sums that wait in memory stay in the first-level cache."""
    for size in (64, 256, 512, 2048):
        kernel = vector_unit_named(name).popcount(tile_of(size, kernel=1))
        assert kernel.scratch_bytes <= 16384 or max(map(len, kernel.groups)) == 1


@pytest.mark.parametrize("name", UNITS)
def test_equal_code_has_an_equal_name(name):
    """Layers of one shape share the function, whatever is fused behind them."""
    make = vector_unit_named(name).popcount
    first, again, other = (kernel_ir(make(tile_of(size)))[0] for size in (8, 8, 16))
    assert first == again != other


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("outputs, lanes", [(10, 16), (32, 32), (96, 48), (128, 64), (80, 48)])
def test_a_vector_is_as_many_registers_as_make_the_fewest_operations(name, outputs, lanes):
    assert vector_unit_named(name).layout.binary_lanes(outputs) == lanes


@pytest.mark.parametrize("name", UNITS)
def test_the_call_stands_in_place_of_the_loops(name):
    workload = ConvWorkload(1, 64, 8, 8, 64, (3, 3), padding=(1, 1, 1, 1))
    sch = Schedule(binary_conv(workload, vector_unit_named(name).layout))
    apply_tile(sch, find_anchor(sch), Tile(2, 4, 1), vector_unit=vector_unit_named(name))
    text = sch.mod["main"].script()
    assert len(re.findall(r'T.call_extern\("int32", "b2nn_popcount_\w+"', text)) == 1
    assert "popcount(" not in text.replace("b2nn_popcount_", "")
