"""How many filters and channels a vector holds, by the size of the layer."""

from __future__ import annotations

import pytest

from b2nn_tvm.ops.vector_layout import CodeLayout, VectorLayout
from b2nn_tvm.schedules.schedule_module import vector_unit_named

UNITS = ("neon", "neon_armv7")


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize(("outputs", "lanes"), [(10, 16), (32, 32), (96, 48), (128, 64), (80, 48)])
def test_a_vector_is_as_many_registers_as_make_the_fewest_operations(name, outputs, lanes):
    assert vector_unit_named(name).layout.binary_lanes(outputs) == lanes


@pytest.mark.parametrize(("outputs", "lanes"), [(1, 16), (16, 16), (17, 32), (32, 32), (33, 64), (64, 64), (65, 64)])
def test_without_registers_to_choose_from_a_vector_is_halved_while_half_of_it_would_do(outputs, lanes):
    assert VectorLayout(float_lanes=16, word="uint8", max_binary_lanes=64).binary_lanes(outputs) == lanes


@pytest.mark.parametrize(
    ("outputs", "lanes"), [(16, 16), (8, 8), (3, 4), (10, 16), (20, 4), (24, 8), (63, 16), (68, 16)]
)
def test_float_vectors_are_halved_where_the_last_would_be_half_empty(outputs, lanes):
    """But not of a layer that is wide enough for that not to matter."""
    assert VectorLayout(float_lanes=16, word="uint32", max_binary_lanes=16).conv_lanes(outputs) == lanes


def test_a_tile_packs_whole_words_or_all_there_are():
    layout = VectorLayout(float_lanes=16, word="uint32", max_binary_lanes=16)
    assert [channels for channels in (1, 16, 17, 32, 33, 64) if layout.packs_in_tiles(channels)] == [1, 16, 32, 64]
    assert [channels for channels in range(1, 25) if VectorLayout(4, "uint8", 64).packs_in_tiles(channels)] == [
        *(1, 2, 3, 4, 8, 16, 24)
    ]


@pytest.mark.parametrize(("channels", "lanes"), [(32, 16), (24, 8), (12, 4), (6, 2), (7, 1)])
def test_a_vector_of_a_group_is_the_widest_that_divides_it(channels, lanes):
    assert VectorLayout(float_lanes=16, word="uint32", max_binary_lanes=16).group_lanes(channels) == lanes
    assert VectorLayout(float_lanes=4, word="uint8", max_binary_lanes=64).group_lanes(channels) == min(lanes, 4)


@pytest.mark.parametrize(
    ("dtype", "first", "weights"), [("uint8", 0, "int8"), ("int8", -128, "int8"), ("int16", 0, "int16")]
)
def test_codes_begin_at_the_least_number_of_8_bits_and_weights_are_as_wide(dtype, first, weights):
    assert (CodeLayout(dtype).first, CodeLayout(dtype).weights) == (first, weights)


@pytest.mark.parametrize(
    ("name", "channels", "lanes"),
    [
        ("avx512vpopcntdq", 16, 16),
        ("avx512", 1, 8),
        ("avxvnni", 16, 8),
        ("avx2", 8, 8),
        ("neon", 1, 8),
        ("neon_armv7", 1, 4),
    ],
)
def test_channels_of_depthwise_codes_fill_vectors_of_sums_and_the_least_load(name, channels, lanes):
    layout = vector_unit_named(name).layout
    assert (layout.depthwise_channels, layout.depthwise_lanes(24)) == (channels, lanes)
    assert channels == 1 or channels * layout.codes.size >= 16
