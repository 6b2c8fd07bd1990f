"""Read damaged files as far as the frontend does alone, before TVM has a part in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from b2nn_tvm.errors import B2nnError
from b2nn_tvm.frontend.checks.check_operators import check_operators
from b2nn_tvm.frontend.checks.check_types import check_types
from b2nn_tvm.frontend.converters import known_ops
from b2nn_tvm.frontend.fold_constants import fold_constants
from b2nn_tvm.frontend.read_onnx import load_model
from b2nn_tvm.frontend.static_shapes import input_shapes
from tests.support.networks.damage import damaged
from tests.support.networks.try_file import LONGEST_ERROR


def read(path: Path) -> None:
    """All that is done with a file before TVM has a part in it."""
    model = load_model(path)
    model = fold_constants(model, input_shapes(model, None))
    check_operators(model, known_ops())
    check_types(model)


def read_damaged(models: Sequence[onnx.ModelProto], seeds: range, path: Path) -> tuple[list[str], int]:
    """What went wrong with files of these ``seeds``, written to ``path`` one after the other, and how many of them were
    refused as they should be.
    """
    faults, refused = [], 0
    for seed in seeds:
        path.write_bytes(damaged(models[seed // 2 % len(models)], seed))
        try:
            read(path)
        except B2nnError as error:
            refused += 1
            if not 0 < len(str(error)) <= LONGEST_ERROR:
                faults.append(f"seed {seed}: an error of {len(str(error))} characters")
        except Exception as error:  # noqa: BLE001 - which of them there are is what is asked
            faults.append(f"seed {seed}: {type(error).__name__}: {str(error)[:200]}")
    return faults, refused
