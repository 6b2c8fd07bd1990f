"""Damaged files of old opsets, quantized, in float16 and with branches are read, or refused with an error for users."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.errors import B2nnError
from b2nn_tvm.frontend.checks.check_operators import check_operators
from b2nn_tvm.frontend.checks.check_types import check_types
from b2nn_tvm.frontend.converters import known_ops
from b2nn_tvm.frontend.fold_constants import fold_constants
from b2nn_tvm.frontend.read_onnx import load_model
from b2nn_tvm.frontend.static_shapes import input_shapes
from tests.support.networks.damage import damaged
from tests.support.networks.file_forms import FORMS

MODELS = tuple(form() for form in FORMS)
READ, SWEPT = 200, 8000


def read(path: Path) -> None:
    """All that is done with a file before TVM has a part in it."""
    model = load_model(path)
    model = fold_constants(model, input_shapes(model, None))
    check_operators(model, known_ops())
    check_types(model)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_the_undamaged_files_are_read(form, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(form().SerializeToString())
    read(path)


@pytest.mark.parametrize("seeds", [range(READ), pytest.param(range(READ, SWEPT), marks=pytest.mark.sweep)], ids=len)
def test_reading_raises_no_other_errors(seeds: range, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    faults, refused = [], 0
    for seed in seeds:
        path.write_bytes(damaged(MODELS[seed // 2 % len(MODELS)], seed))
        try:
            read(path)
        except B2nnError as error:
            refused += 1
            if not str(error) or len(str(error)) > 2000:
                faults.append(f"seed {seed}: an error of {len(str(error))} characters")
        except Exception as error:  # noqa: BLE001 - which of them there are is what is asked
            faults.append(f"seed {seed}: {type(error).__name__}: {str(error)[:200]}")
    assert faults == []
    assert len(seeds) / 3 < refused < len(seeds)  # the changes do damage, but not in vain
