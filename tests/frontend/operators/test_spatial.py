import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.operators.spatial import explicit_padding, split


@pytest.mark.parametrize(
    ("attributes", "padding"),
    [
        ({}, [0, 0, 0, 0]),
        ({"pads": (1, 2, 3, 4)}, [1, 2, 3, 4]),
        ({"auto_pad": b"VALID", "pads": (1, 2, 3, 4)}, [0, 0, 0, 0]),
        ({"auto_pad": b"SAME_UPPER"}, [0, 1, 1, 1]),
        ({"auto_pad": "SAME_LOWER"}, [1, 1, 0, 1]),
    ],
)
def test_padding_before_and_after(attributes, padding):
    assert explicit_padding(attributes, (6, 5), (3, 3), (2, 1), (1, 1)) == padding


def test_an_odd_pixel_stands_where_the_mode_says():
    assert split([3, 2], "SAME_UPPER") == [1, 1, 2, 1]
    assert split([3, 2], "SAME_LOWER") == split([3, 2], "NOTSET") == [2, 1, 1, 1]


def test_another_word_is_refused():
    with pytest.raises(InputError, match="auto_pad is NOTSET, VALID, SAME_UPPER or SAME_LOWER, not 'SAME'"):
        explicit_padding({"auto_pad": b"SAME"}, (6,), (3,), (1,), (1,))
