"""Vector units: their registers hold what their tiles need, and the default tile is the one they aim at."""

import pytest

from b2nn_tvm.errors import TargetError
from b2nn_tvm.schedules.schedule_module import UNITS, vector_unit_named
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.units.vector_unit import RegisterTile, VectorUnit
from b2nn_tvm.targets.target import VECTORS

REGISTERS = {
    "neon": 32,
    "neon_dotprod": 32,
    "neon_armv7": 16,
    "avx2": 16,
    "avxvnni": 16,
    "avx512": 32,
    "avx512vpopcntdq": 32,
}


def test_every_vector_of_a_target_has_schedules():
    assert UNITS == VECTORS == tuple(REGISTERS)


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_has_the_name_of_its_file(name):
    assert vector_unit_named(name).name == name


def test_an_unknown_unit_lists_the_choices():
    with pytest.raises(
        TargetError, match=r"'sve'; there are neon, neon_dotprod, neon_armv7, avx2, avxvnni, avx512, avx512vpopcntdq"
    ):
        vector_unit_named("sve")


@pytest.mark.parametrize("kind", ["float", "binary", "winograd"])
@pytest.mark.parametrize("name", UNITS)
def test_sums_and_operands_fit_the_registers(name, kind):
    """Beside the sums: a vector of weights, a broadcast and a product. A micro-kernel takes its tile in parts that
    fit.
    """
    tested = vector_unit_named(name)
    assert tested.multiply is None or tested.loop_sums <= REGISTERS[name] * 3 / 4
    if (tested.popcount if kind == "binary" else tested.multiply) is None:
        assert getattr(tested, kind).accumulators + 3 <= REGISTERS[name]


@pytest.mark.parametrize("kind", ["float", "binary", "winograd", "int8"])
@pytest.mark.parametrize("name", UNITS)
def test_there_is_always_a_default_tile_and_it_fits(name, kind):
    unit = vector_unit_named(name)
    most = (getattr(unit, kind) or unit.float).accumulators
    for shape in ((56, 56, 4), (28, 28, 8), (14, 14, 16), (7, 7, 32), (9, 11, 1), (1, 1, 63)):
        height, width, blocks = shape
        found = unit.candidates(kind, height, width, blocks)
        assert Tile(1, 1, 1) in found, shape
        for tile in found:
            assert tile.accumulators <= most, (shape, tile)
            assert height % tile.rows == width % tile.columns == blocks % tile.blocks == 0, (shape, tile)


def order_of(aim: RegisterTile, height: int, width: int, blocks: int) -> tuple[Tile, ...]:
    any_unit = vector_unit_named("avx2")
    return VectorUnit("test", any_unit.layout, aim, aim, aim).candidates("float", height, width, blocks)


def test_the_default_has_the_pixels_rows_and_blocks_aimed_at():
    assert order_of(RegisterTile(accumulators=28, pixels=14, rows=2), 56, 56, 4)[0] == Tile(2, 7, 2)
    assert order_of(RegisterTile(accumulators=28, pixels=7, rows=7), 28, 28, 4)[0] == Tile(7, 1, 2)
    assert order_of(RegisterTile(accumulators=8, pixels=4, rows=7, blocks=4), 56, 56, 4)[0] == Tile(2, 1, 4)


def test_where_there_is_a_latency_the_default_has_as_many_sums_and_uses_operands_most():
    aim = RegisterTile(accumulators=24, pixels=4, rows=1, blocks=4, latency=12)
    assert order_of(aim, 56, 56, 16)[0] == Tile(1, 4, 4)
    assert order_of(aim, 7, 7, 32)[0] == Tile(1, 7, 2)
    assert order_of(aim, 1, 1, 63)[0] == Tile(1, 1, 21)
    assert order_of(RegisterTile(accumulators=12, pixels=2, rows=1, latency=8, broadcast=2), 28, 28, 8)[0] == Tile(
        1, 2, 4
    )


def test_with_one_vector_of_channels_pixels_make_up_the_default():
    assert order_of(RegisterTile(accumulators=28, pixels=14, rows=2), 56, 56, 1)[0] == Tile(2, 14, 1)


def test_a_narrow_winograd_layer_takes_fewer_rows_of_tiles():
    aim = RegisterTile(accumulators=16, pixels=8, rows=4)
    tested = VectorUnit("test", vector_unit_named("avx512").layout, aim, aim, aim)
    assert tested.candidates("winograd", 16, 16, 1, 16)[0] == Tile(1, 16, 1)
    assert tested.candidates("winograd", 28, 28, 4, 16)[0] == Tile(2, 4, 2)
    assert tested.candidates("winograd", 16, 16, 8, 16)[0] == Tile(4, 2, 2)
    assert tested.candidates("float", 16, 16, 1, 16)[0] == Tile(4, 4, 1)


def test_more_pixels_than_aimed_at_are_as_bad_as_too_few():
    """Of 13 columns there are 1 or 13 at a time: 13 is 3 above an aim of 10 and 1 is 9 below; to 5, 1 is closer."""
    assert order_of(RegisterTile(accumulators=28, pixels=10, rows=1, blocks=1), 1, 13, 1)[0] == Tile(1, 13, 1)
    assert order_of(RegisterTile(accumulators=28, pixels=5, rows=1, blocks=1), 1, 13, 1)[0] == Tile(1, 1, 1)
