"""The interpreter of Larq Compute Engine, which needs an old TensorFlow and so lives in an environment of its own."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "B2NN_LARQ_PYTHON"
ENVIRONMENT = Path(__file__).resolve().parent.parent / ".venv-larq"
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def larq_python() -> str:
    """The interpreter that has Larq: that of the environment variable, else that of .venv-larq.

    Raises ModuleNotFoundError where there is none.
    """
    path = Path(os.environ.get(VARIABLE) or ENVIRONMENT / "bin" / "python")
    if not path.is_file():
        raise ModuleNotFoundError(f"it is not installed: `make larq`, or set {VARIABLE} to a Python that has it")
    return str(path)
