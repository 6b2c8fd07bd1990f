"""The assembly of the binary convolution: its registers, its sums of bytes, and the code where it is put. That it is
exact is tested where it runs (tests/arm).
"""

import itertools
import re

import pytest
from tvm.s_tir import Schedule

from b2nn_tvm.schedules.anchor import find_anchor
from b2nn_tvm.schedules.schedule_module import apply_tile, vector_unit_named
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.compiled import AARCH64, STAGES, inner_loop
from tests.support.schedules.functions import binary_conv
from tests.support.schedules.micro_kernels import popcount_tile
from tests.support.schedules.registers import check_registers
from tests.support.sweep import few

UNITS = ("neon", "neon_armv7")


@pytest.mark.parametrize("name", UNITS)
def test_the_chunks_of_a_run_are_its_bytes_and_cannot_overflow(name):
    for size, kernel, dilation in itertools.product(range(1, 66), (1, 3, 5), (1, 2)):
        tile = popcount_tile(size, kernel=kernel, dilation=dilation)
        popcount = vector_unit_named(name).popcount(tile)
        assert len(tile.runs) * sum(popcount.chunks_of_run) == kernel * size, (size, kernel, dilation)
        assert max(popcount.chunks_of_run) * 8 <= 255, (size, kernel, dilation)
        assert popcount.chunks == kernel * len(tile.runs) * len(popcount.chunks_of_run), (size, kernel, dilation)


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("lanes", [16, 32, 48, 64])
def test_the_registers_are_those_that_are_declared(name, lanes):
    make = vector_unit_named(name).popcount
    for pixels in range(1, 9):
        for size in (1, 2, 3, 7, 8, 12, 31, 64):
            kernel = make(popcount_tile(size, pixels=pixels, lanes=lanes))
            check_registers(kernel)
            assert [number for group in kernel.groups for number in group] == list(range(pixels))


@pytest.mark.parametrize("name", UNITS)
def test_long_filters_are_summed_for_fewer_pixels_at_a_time(name):
    """The sums that wait in memory stay in the first-level cache."""
    for size in (64, 256, 512, 2048):
        kernel = vector_unit_named(name).popcount(popcount_tile(size, kernel=1))
        assert kernel.scratch_bytes <= 16384 or max(map(len, kernel.groups)) == 1


@pytest.mark.parametrize("name", UNITS)
def test_the_call_stands_in_place_of_the_loops(name):
    workload = ConvWorkload(1, 64, 8, 8, 64, (3, 3), padding=(1, 1, 1, 1))
    sch = Schedule(binary_conv(workload, vector_unit_named(name).layout))
    apply_tile(sch, find_anchor(sch), Tile(2, 4, 1), vector_unit=vector_unit_named(name))
    text = sch.mod["main"].script()
    assert len(re.findall(r'T.call_extern\("int32", "b2nn_popcount_\w+"', text)) == 1
    assert "popcount(" not in text.replace("b2nn_popcount_", "")


ARITHMETIC = {"aarch64": r"(?!ld|st)\w+ v\d+\.", "armv7l": r"v(?!ld|st)[\w.]+ q\d+"}


@pytest.mark.parametrize("stage", few(STAGES, (64, 512)))
@pytest.mark.parametrize("name", [*AARCH64, "armv7"])
def test_binary_macs_take_three_operations_and_a_quarter(name, stage):
    loop, arch = inner_loop(name, STAGES[stage], binary_conv, "v?cnt"), get(name).arch
    xor, count, add, spread = {
        "aarch64": (r"eor v\d+\.16b", r"cnt v\d+\.16b", r"add v\d+\.16b", r"dup v\d+\.16b"),
        "armv7l": (r"veor q", r"vcnt\.8 q", r"vadd\.i8 q", r"vdup\.8 q"),
    }[arch]
    updates = loop.count(count)
    assert updates >= 8 * 24
    assert loop.count(xor) == updates
    assert loop.count(spread) == updates / 4  # four vectors of filters share a broadcast
    arithmetic = loop.count(ARITHMETIC[arch])
    assert arithmetic == loop.count(f"{xor}|{count}|{add}|{spread}") <= 3.3 * updates
    sums = updates - loop.count(add)  # of each, the first popcount is the sum
    assert updates / sums <= 31  # bytes of eight bits that are summed in uint8
    assert not any(re.search(r"\bsp\b", instruction) for instruction in loop.instructions)
