"""Random networks: residuals, concatenations, groups, pools, splits, gates, paddings, with signs anywhere."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.support.surveys.seeds import SEEDS

TITLE = "Random networks"
ABOUT = """
Small networks drawn from seeds (`tests/support/networks/random_graphs.py`): up to eight blocks, with residual
connections, concatenations, splits, groups, channel shuffles, squeeze-and-excitation, pools, resizes, paddings, crops,
transposes, norms and dense heads, of 1 to 40 channels, and with signs in six spellings anywhere between them. Each is
compiled for the machine of the survey, and its outputs are compared with onnxruntime's by the compiler's own check.
`make fuzz` tries others.
"""
COLUMNS = ("seed", "outcome", "layers", "binary", "reason")
OUTCOMES = ("equal", "refused", "unchecked", "wrong", "raw error", "left behind")
LIMIT_S = 300
FIRST, COUNT = 0, 2000
PER_PROCESS = 100


def names() -> list[str]:
    """The seeds; `make fuzz` asks for others."""
    first, count = map(int, os.environ.get(SEEDS, f"{FIRST} {COUNT}").split())
    return [str(seed) for seed in range(first, first + count)]


def row(name: str) -> dict[str, object]:
    """What became of the network of this seed."""
    from tests.support.networks.random_graphs import random_graph
    from tests.support.networks.try_file import try_file

    with tempfile.TemporaryDirectory() as folder:
        tried = try_file(random_graph(int(name)).SerializeToString(), Path(folder), name=f"random_graphs-{name}")
    return {"outcome": tried.outcome, "reason": tried.reason, "layers": tried.layers, "binary": tried.binary}
