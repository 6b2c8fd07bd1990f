from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.faults.check_arguments import PATH, check_arguments

HINTS = {
    "model": PATH,
    "folder": PATH | None,
    "epochs": int,
    "margin": float,
    "word": str,
    "also": tuple[str, ...] | list[str],
    "shapes": Mapping[str, tuple[int, ...]] | None,
    "budget": str | Sequence[str] | None,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("model", "a.onnx"), ("model", Path("a")), ("folder", None), ("epochs", 3), ("epochs", np.int64(3))),
        *(("margin", 0.5), ("margin", 1), ("margin", np.float32(1)), ("word", "a"), ("also", []), ("also", ("arm",))),
        *(("shapes", {}), ("shapes", None), ("budget", "3ms"), ("budget", ["3ms"]), ("budget", None)),
        ("of no hint", object()),
    ],
)
def test_what_fits(name, value):
    check_arguments(HINTS, {name: value})


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("model", None, "model: expected a path, but got None"),
        ("model", b"abc", "model: expected a path, but got bytes"),
        ("folder", 3, r"folder: expected a path or None, but got 3 \(int\)"),
        ("epochs", "8", r"epochs: expected a whole number, but got '8' \(str\)"),
        ("epochs", 1.5, r"epochs: expected a whole number, but got 1.5 \(float\)"),
        ("epochs", True, r"epochs: expected a whole number, but got True \(bool\)"),
        ("margin", "x" * 99, "margin: expected a number, but got str$"),
        ("word", Path, "word: expected a word, but got the class Path"),
        ("also", "arm", r"also: expected a tuple or a list, but got 'arm' \(str\)"),
        ("shapes", (1, 3), r"shapes: expected a Mapping or None, but got \(1, 3\) \(tuple\)"),
        ("budget", 3, r"budget: expected a word, a Sequence or None, but got 3 \(int\)"),
    ],
)
def test_what_does_not(name, value, text):
    with pytest.raises(InputError, match=f"^{text}"):
        check_arguments(HINTS, {name: value})


def test_more_may_be_said_to_a_name():
    with pytest.raises(InputError, match="^model: expected a path, but got None; write one with onnx.save$"):
        check_arguments(HINTS, {"word": "a", "model": None}, model="write one with onnx.save", word="no word")
