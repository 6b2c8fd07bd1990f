"""What the data mean survives an ONNX file, beside what others wrote there."""

from __future__ import annotations

import onnx
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.onnx_metadata import LABELS, PREPROCESS, UNKNOWN, Meaning, read_meaning, write_meaning
from b2nn_tvm.preprocess.preprocess import Preprocess

PHOTO = Preprocess.covering((3, 8, 8), (0.5,) * 3, (0.25,) * 3)


def test_it_survives_a_file_and_replaces_what_was_said_before():
    model = onnx.ModelProto()
    model.metadata_props.add(key="author", value="somebody")
    for meaning in (Meaning(PHOTO, ("cat", "Käse")), Meaning(None, ("a", "b")), Meaning(PHOTO), UNKNOWN):
        write_meaning(model, meaning)
        again = onnx.ModelProto.FromString(model.SerializeToString())
        assert read_meaning(again) == meaning
        assert [entry.value for entry in again.metadata_props if entry.key == "author"] == ["somebody"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (PREPROCESS, "{"),
        (PREPROCESS, "{}"),
        (LABELS, "cat"),
        (LABELS, "[1]"),
        (PREPROCESS, "[" * 99999),
        (LABELS, "[" * 99999),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(key, value):
    model = onnx.ModelProto()
    model.metadata_props.add(key=key, value=value)
    with pytest.raises(InputError, match="of the file cannot be used: .*; export it again, or remove them"):
        read_meaning(model)
