"""Damaged ONNX files, through the whole compiler."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

from tests.support.surveys.seeds import SEEDS

TITLE = "Damaged files"
ABOUT = """
ONNX files with one to three changes to their structure or to their bytes, drawn from seeds
(`tests/support/networks/damage.py`). What is still a network is compiled and compared with onnxruntime; all else has to
be refused with an error of one line, within 30 s and with at most 2 GiB of memory more than before. A file is
"unchecked" where it is valid, and compiled with a note, but onnxruntime has no kernel for it.
"""
COLUMNS = ("seed", "outcome", "added_mib", "seconds", "reason")
OUTCOMES = ("refused", "equal", "unchecked", "wrong", "raw error", "left behind", "took too much memory")
LIMIT_S = 30
FIRST, COUNT = 100_000, 1000  # the seeds below are those of the tests
PER_PROCESS = 200
MEMORY_MIB = 2048
NETWORKS = (
    *("average pooling", "concat behind convolutions", "residual", "winograd", "depthwise", "grouped"),
    *("channel shuffle", "transposed convolution", "bilinear resize", "prelu", "squeeze and excitation"),
    *("a gate of a binary convolution", "axes that count from the end", "layer norm behind a convolution"),
    *("batch norm", "attention over pixels", "classifier", "reductions", "slices and split", "two inputs"),
    *("long and narrow kernels", "integers", "binary in the form of a function", "binary in standard operators"),
)


def names() -> list[str]:
    """The seeds; `make fuzz` asks for others."""
    first, count = map(int, os.environ.get(SEEDS, f"{FIRST} {COUNT}").split())
    return [str(seed) for seed in range(first, first + count)]


def row(name: str) -> dict[str, object]:
    """What became of the file of this seed."""
    from tests.support.networks.damage import damaged
    from tests.support.networks.try_file import try_file

    models, seed = _models(), int(name)
    with tempfile.TemporaryDirectory() as folder:
        content = damaged(models[seed // 2 % len(models)], seed)
        tried = try_file(content, Path(folder), name=f"damaged_files-{name}")
    outcome = "took too much memory" if tried.added_mib > MEMORY_MIB else tried.outcome
    return {"outcome": outcome, "added_mib": tried.added_mib, "seconds": tried.seconds, "reason": tried.reason}


@functools.cache
def _models():  # type: ignore[no-untyped-def]
    from tests.support.networks import onnx_networks

    return tuple(onnx_networks.NETWORKS[name].build() for name in NETWORKS)
