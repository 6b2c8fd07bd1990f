"""Damaged files of old opsets, quantized, in float16 and with branches are read, or refused with an error for users."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.networks.file_forms import FORMS
from tests.support.networks.read_damaged import read, read_damaged

MODELS = tuple(form() for form in FORMS)
READ, SWEPT = 200, 8000


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_the_undamaged_files_are_read(form, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(form().SerializeToString())
    read(path)


@pytest.mark.parametrize("seeds", [range(READ), pytest.param(range(READ, SWEPT), marks=pytest.mark.sweep)], ids=len)
def test_reading_raises_no_other_errors(seeds: range, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    faults, refused = read_damaged(MODELS, seeds, path)
    assert faults == []
    assert len(seeds) / 3 < refused < len(seeds)  # the changes do damage, but not in vain
