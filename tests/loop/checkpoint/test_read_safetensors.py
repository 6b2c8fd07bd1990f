"""The bytes of the safetensors format, written by hand as its page describes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.read_safetensors import is_safetensors, read_safetensors


def written(path: Path, header: object, data: bytes, *, length: int | None = None) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def entry(dtype: str, shape: list[int], first: int, last: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("F64", torch.tensor([[1.5, -2.0]], dtype=torch.float64)),
        ("F32", torch.tensor([[1.5], [-2.0]])),
        ("F16", torch.tensor([1.5, -2.0], dtype=torch.float16)),
        ("I64", torch.tensor([3, -4])),
        ("U8", torch.tensor([3, 250], dtype=torch.uint8)),
        ("BOOL", torch.tensor([True, False])),
        ("I64", torch.tensor(7)),
        ("F32", torch.zeros(0, 3)),
    ],
)
def test_tensors_come_back_as_they_are(tmp_path: Path, word: str, values: torch.Tensor) -> None:
    data = values.numpy().tobytes()
    header = {"__metadata__": {"format": "pt"}, "a.weight": entry(word, list(values.shape), 3, 3 + len(data))}
    path = written(tmp_path / "w.safetensors", header, b"\1\1\1" + data)
    assert is_safetensors(path)
    (loaded,) = read_safetensors(path).values()
    assert loaded.dtype == values.dtype and loaded.shape == values.shape and torch.equal(loaded, values)


def test_bfloat16_is_the_upper_half_of_a_float(tmp_path: Path) -> None:
    path = written(tmp_path / "w.safetensors", {"a": entry("BF16", [1], 0, 2)}, b"\xc0\x3f")
    assert read_safetensors(path)["a"].item() == 1.5


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"a": entry("F32", [2], 0, 4)}, r"bytes of a are not those of a tensor \[2\]"),
        ({"a": entry("F32", [2], 8, 16)}, "cut short or damaged"),
        ({"a": entry("F32", [-2], 0, 8)}, "cut short or damaged"),
        ({"a": entry("F32", [2.0], 0, 8)}, "cut short or damaged"),
        ({"a": entry("F32", 2, 0, 8)}, "cut short or damaged"),
        ({"a": entry("F8_E4M3", [8], 0, 8)}, "a is of type F8_E4M3; expected one of F64, F32"),
        ({"a": {"dtype": "F32"}}, "header is damaged at 'a'"),
        ({"a": 3}, "header is damaged at 'a'"),
    ],
)
def test_what_the_header_says_must_be_there(tmp_path: Path, header: object, message: str) -> None:
    with pytest.raises(InputError, match=f"w.safetensors: .*{message}"):
        read_safetensors(written(tmp_path / "w.safetensors", header, bytes(8)))


@pytest.mark.parametrize("length", [5, 99])
def test_a_header_that_is_cut_short(tmp_path: Path, length: int) -> None:
    path = written(tmp_path / "w.safetensors", {"a": entry("F32", [0], 0, 0)}, b"", length=length)
    with pytest.raises(InputError, match="header is damaged or cut short"):
        read_safetensors(path)


def test_other_files_are_none(tmp_path: Path) -> None:
    for content in (b"", b"PK\3\4", b"{}", b"\xff" * 8 + b"{"):
        (tmp_path / "a").write_bytes(content)
        assert not is_safetensors(tmp_path / "a")
