"""The assembly of float convolutions: its registers, how much it computes, and the code where it is put. Its results
are tested where it runs (tests/arm).
"""

import re

import pytest
from tvm.s_tir import Schedule

from b2nn_tvm.schedules.schedule_module import apply_tile, find_anchor, vector_unit_named
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import WindowTile, product_tile, window_tile
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.functions import float_conv, winograd
from tests.support.schedules.registers import check_registers

UNITS = ("neon", "neon_armv7")
FLOATS = 4
REPEATED = re.compile(r"^movw? \w+, #(\d+)\n(\S+):\n(.*?)^subs [^\n]*\n(?:bne|b\.ne) \2$", re.MULTILINE | re.DOTALL)


def tile_of(channels: int, *, pixels: int, blocks: int, kernel: int = 3, dilation: int = 1) -> WindowTile:
    image = (1, 9, 30, 4 * channels)
    tile = Tile(1, pixels, blocks)
    return window_tile(image, (kernel, kernel), stride=(1, 1), dilation=(dilation, dilation), tile=tile, lanes=FLOATS)


def unrolled(text: str) -> str:
    """The text with its loops written out, the inner ones first."""
    while REPEATED.search(text):
        text = REPEATED.sub(lambda loop: loop[3] * int(loop[1]), text)
    return text


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7, 8, 33])
def test_the_registers_are_those_that_are_declared_and_every_product_is_there_once(name, channels):
    for pixels in (1, 2, 3, 4, 7, 14):
        for blocks in (1, 2, 3):
            for kernel, dilation in ((1, 1), (3, 1), (3, 2)):
                made = vector_unit_named(name).multiply(
                    tile_of(channels, pixels=pixels, blocks=blocks, kernel=kernel, dilation=dilation)
                )
                check_registers(made)
                products = len(re.findall(r"^(?:fmla|vmla)", unrolled(made.assembly()), re.MULTILINE))
                assert products == kernel * kernel * channels * pixels * blocks
                stores = len(re.findall(r"^(?:str q|vst1)", made.assembly(), re.MULTILINE))
                assert stores == pixels * blocks


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("make", [float_conv, winograd])
def test_the_call_stands_in_place_of_the_loops(name, make):
    workload = ConvWorkload(1, 12, 8, 8, 16, (3, 3), padding=(1, 1, 1, 1))
    sch = Schedule(make(workload, vector_unit_named(name).layout))
    apply_tile(sch, find_anchor(sch), Tile(2, 4, 2), vector_unit=vector_unit_named(name))
    assert len(re.findall(r'T.call_extern\("int32", "b2nn_multiply_\w+"', sch.mod["main"].script())) == 1


def test_tiles_of_a_winograd_product_stand_a_transform_apart():
    tile = product_tile(7, 4, 10, tile=Tile(2, 2, 1), lanes=FLOATS)
    apart = 4 * 4 * 10 * 4
    assert tile.pixels == (0, apart, 7 * apart, 8 * apart)
    assert (tile.rows, tile.runs, tile.run_bytes, tile.block_bytes) == (1, (0,), 40, 160)
