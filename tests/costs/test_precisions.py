"""The words are those of plans, and what a layer counts follows from its bits."""

import pytest

from b2nn_tvm.costs.precisions import BITS, counted_flops, parse_precisions, room, stored_bytes
from b2nn_tvm.errors import InputError
from b2nn_tvm.plan import QUANTIZED, Precision


def test_the_words_are_those_of_plans():
    assert set(BITS) == {Precision.BINARY, *QUANTIZED}


def test_operations_are_those_of_a_word_and_rounded_up():
    assert {word: counted_flops(6400, word) for word in BITS} == {"binary": 100, "int8": 800, "w1a2": 200, "w2a2": 400}
    assert counted_flops(65, "binary") == 2 and counted_flops(1, "int8") == 1


def test_bytes_are_whole_bytes_per_tap_and_plane_and_a_scale_per_filter():
    found = {word: stored_bytes(9, 4, 10, word) for word in BITS}
    assert found == {"binary": 10 * (4 * 2 + 4), "int8": 10 * (4 * 9 + 4), "w1a2": 120, "w2a2": 10 * (4 * 4 + 4)}


def test_weights_fill_room_by_their_bits():
    assert {word: 31 * room(word) for word in ("float", *BITS)} == pytest.approx(
        {"float": 31, "binary": 0, "int8": 7, "w1a2": 0, "w2a2": 1}
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("1,32", ("binary", "float")),
        ("32, 8,2,1", ("binary", "w1a2", "w2a2", "int8", "float")),
        ("int8,32,8", ("int8", "float")),
        (("w2a2", "float"), ("w2a2", "float")),
    ],
)
def test_precisions_are_given_as_bits_or_words(words, expected):
    assert parse_precisions(words) == expected == parse_precisions(expected)


@pytest.mark.parametrize(("words", "message"), [("1,4,32", "1, 2, 8, 32"), ("1,8", "expected 32"), ("32", "other")])
def test_what_is_no_list_of_precisions_is_refused(words, message):
    with pytest.raises(InputError, match=message):
        parse_precisions(words)
