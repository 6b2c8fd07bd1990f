"""The option --input-shape takes the spellings of other tools, and refuses what is no shape."""

from __future__ import annotations

import click
import pytest

from b2nn_tvm.cli.options.shapes import shapes

IMAGE = (1, 3, 224, 224)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (("image=1x3x224x224",), {"image": IMAGE}),
        (("image:1x3x224x224",), {"image": IMAGE}),  # trtexec --shapes
        (("image:1,3,224,224",), {"image": IMAGE}),  # onnxsim --overwrite-input-shape
        (("image=1,3,224,224",), {"image": IMAGE}),
        (("1x3x224x224",), {"": IMAGE}),
        (("1,3,224,224",), {"": IMAGE}),
        (("[1,3,224,224]",), {"": IMAGE}),
        (("image=[1, 3, 224, 224]",), {"image": IMAGE}),
        (("image:(1, 3, 224, 224)",), {"image": IMAGE}),
        (("1X3X224X224",), {"": IMAGE}),
        (("1*3*224*224",), {"": IMAGE}),
        (("[1 3 224 224]",), {"": IMAGE}),
        (("1 x 3 x 224 x 224",), {"": IMAGE}),
        (("image[1,3,224,224]",), {"image": IMAGE}),  # OpenVINO --input
        (("a[1,3],b:0[7]",), {"a": (1, 3), "b:0": (7,)}),
        (("a:[1, 3] b:[7]",), {"a": (1, 3), "b": (7,)}),  # tvmc --input-shapes
        (("'image':1x3x224x224",), {"image": IMAGE}),
        (("my image=1x3x224x224",), {"my image": IMAGE}),
        (('{"image": [1, 3, 224, 224], "b": [7]}',), {"image": IMAGE, "b": (7,)}),
        (("input:0=1x3x224x224",), {"input:0": IMAGE}),
        (("input:0:1x3x224x224",), {"input:0": IMAGE}),
        (("a=b=1,3",), {"a=b": (1, 3)}),
        (("a:1x3,b:0:7",), {"a": (1, 3), "b:0": (7,)}),  # trtexec --shapes of two inputs
        (("a=1x3", "b=7"), {"a": (1, 3), "b": (7,)}),
        (("a=1x3", "a:1,3"), {"a": (1, 3)}),
        ((), {}),
    ],
)
def test_input_shapes_are_spelled_as_by_other_tools(texts: tuple[str, ...], found: dict) -> None:
    assert shapes(None, None, texts) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "image",
        "image=",
        "image=1x",
        "image=1x3xq",
        "image=0x3",
        "image=-1x3",
        "image=1x-3",
        "1;3",
        "image=[1,3",
        "[]",
        "image=1.5x3",
        "image=99999999999999999999",
        "x,1,3x",
        "image[]",
        "a:[1,3] b",
        '{"image": "1x3"}',
        '{"image": [1, 0]}',
        '{"image": [1, 3]',
        "{}",
    ],
)
def test_what_is_no_shape_is_shown_with_what_was_expected(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected NAME=1x3x32x32, or 1x3x32x32 where .* but got"):
        shapes(None, None, (text,))


@pytest.mark.parametrize("texts", [("a=1x3", "a=1x4"), ("1x3", "1x4")])
def test_one_input_has_one_shape(texts: tuple[str, ...]) -> None:
    with pytest.raises(click.BadParameter, match="expected one shape for each input, but two came"):
        shapes(None, None, texts)
