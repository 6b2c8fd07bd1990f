"""Images inside a border in memory: copied in and out, and the border set to zero, whatever lies there."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import te, tirx

from b2nn_tvm.ops.border import fill_around, into_border, out_of_border

SHAPE = (2, 3, 4, 5)
PADDINGS = [(1, 1, 1, 1), (2, 0, 0, 3), (0, 0, 0, 0), (0, 1, 0, 0)]
IMAGE = np.arange(1, 1 + np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)


def buffer(shape: tuple[int, ...]) -> tirx.Var:
    """A parameter of a function, as the image of another one."""
    return te.create_prim_func([te.placeholder(shape, name="image")]).params[0]


def run(parameters, body: tirx.Stmt, *arrays: np.ndarray) -> list[np.ndarray]:
    """What is in the arrays when the body has run."""
    function = tirx.PrimFunc(parameters, body).with_attr({"global_symbol": "main", "s_tir": True})
    tensors = [tvm.runtime.tensor(array) for array in arrays]
    tvm.compile(tvm.IRModule({"main": function}), target="llvm")["main"](*tensors)
    return [tensor.numpy() for tensor in tensors]


def bordered(padding: tuple[int, int, int, int], outside: float) -> np.ndarray:
    top, left, bottom, right = padding
    return np.pad(IMAGE, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=outside)


@pytest.mark.parametrize("padding", PADDINGS)
def test_an_image_is_copied_into_its_border_which_stays_as_it_was(padding):
    image, expected = buffer(SHAPE), bordered(padding, 7)
    copy = into_border(image, padding)
    (inside,) = copy.params
    assert tuple(map(int, inside.ty.shape)) == expected.shape
    _, written = run([image, inside], copy.body, IMAGE, np.full_like(expected, 7))
    np.testing.assert_array_equal(written, expected)


@pytest.mark.parametrize("padding", PADDINGS)
def test_an_image_is_copied_out_of_its_border(padding):
    image = buffer(SHAPE)
    copy = out_of_border(image, padding)
    _, read = run([*copy.params, image], copy.body, bordered(padding, np.nan), np.zeros_like(IMAGE))
    np.testing.assert_array_equal(read, IMAGE)


@pytest.mark.parametrize("value", [0, 131])
@pytest.mark.parametrize("padding", PADDINGS[:2])
def test_a_number_is_written_around_the_image_and_not_into_it(padding, value):
    expected = bordered(padding, value)
    whole = buffer(expected.shape)
    (written,) = run([whole], fill_around(whole, padding, value), bordered(padding, np.nan))
    np.testing.assert_array_equal(written, expected)
