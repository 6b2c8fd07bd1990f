"""The bytes of a file become a model, or an error says what is there instead."""

from __future__ import annotations

import os
import re
from pathlib import Path

import onnx
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend import read_model_file as module
from b2nn_tvm.frontend.read_model_file import read_model_file
from tests.support.networks.imported import FLOATS
from tests.support.networks.onnx_models import model, save

BUILT = model("output = Conv (input, w)", {"w": FLOATS})


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_model_file(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_a_model(tmp_path):
    assert read_model_file(save(tmp_path, BUILT)) == BUILT


def test_every_cut_is_said_to_be_one(tmp_path):
    """Up to the opsets, which stand behind the graph."""
    path = tmp_path / "net.onnx"
    content = BUILT.SerializeToString()
    cut_short = 0
    for size in range(1, len(content) - 50):
        path.write_bytes(content[:size])
        text = refusal(path)
        assert re.search("cut short|holds no graph|is text", text), (size, text)
        cut_short += "cut short: " in text
    assert cut_short > len(BUILT.graph.SerializeToString()) / 2


def test_how_much_is_missing(tmp_path):
    path = tmp_path / "net.onnx"
    whole = onnx.ModelProto(graph=BUILT.graph).SerializeToString()
    path.write_bytes(whole[:300])
    assert f"cut short: {len(whole) - 300} bytes are missing behind its 300" in refusal(path)


@pytest.mark.parametrize("content", [bytes(range(256)), b"\x08\x08\xff\xff\xff", b"\x0b\x0b", b"\xff" * 40])
def test_other_bytes(content, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    assert refusal(path).startswith("expected an ONNX model, but the file ")


def test_what_is_no_file(tmp_path):
    assert refusal(tmp_path / "absent.onnx") == "no such file; expected an ONNX model"
    assert refusal(tmp_path) == "expected an ONNX file, but this is a folder; give the name of a file"
    save(tmp_path, BUILT, "b.onnx"), save(tmp_path, BUILT, "a.onnx")
    assert refusal(tmp_path).endswith("this is a folder; give one of its files: a.onnx, b.onnx")
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "libb2nn_model.so").touch()
    assert "a folder, which holds a compiled library already; give the ONNX file" in refusal(tmp_path / "net")
    os.mkfifo(tmp_path / "pipe")
    assert "a device or a pipe" in refusal(tmp_path / "pipe")
    (tmp_path / "empty.onnx").touch()
    assert "the file is empty" in refusal(tmp_path / "empty.onnx")


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_FILE", 100)
    assert "at most 2 GiB, but the file has" in refusal(save(tmp_path, BUILT))


def test_the_name_hints_at_another_kind(tmp_path):
    for content in (b"\x08\x01\x12\x00", b"\x0b\x0b"):
        (tmp_path / "frozen.pb").write_bytes(content)
        assert "TensorFlow graph" in refusal(tmp_path / "frozen.pb")
