"""Random networks are equal to onnxruntime, or refused; docs/surveys/random_graphs.csv has more of them."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from tests.support.networks.random_graphs import random_graph
from tests.support.networks.try_file import EQUAL, REFUSED, try_file

FIRST = 5000  # the seeds below are those of the table


@pytest.mark.parametrize(
    "seeds", [range(FIRST, FIRST + 2), pytest.param(range(FIRST + 2, FIRST + 42), marks=pytest.mark.sweep)], ids=len
)
def test_random_networks_are_right_or_refused(seeds: range, tmp_path: Path) -> None:
    tried = {}
    for seed in seeds:
        (folder := tmp_path / str(seed)).mkdir()
        tried[seed] = try_file(random_graph(seed).SerializeToString(), folder, name=f"random_graphs-{seed}")
    assert {seed: found for seed, found in tried.items() if found.outcome not in (EQUAL, REFUSED)} == {}
    assert sum(found.outcome == EQUAL for found in tried.values()) > 0.9 * len(tried)


def test_the_networks_are_valid_and_have_signs_and_layers_in_many_places() -> None:
    operators: dict[str, int] = {}
    for seed in range(200):
        model = random_graph(seed)
        onnx.checker.check_model(model, full_check=True)
        for op in {node.op_type for node in model.graph.node}:
            operators[op] = operators.get(op, 0) + 1
    often = (
        "Conv",
        "Where",
        "BatchNormalization",
        "Concat",
        "Split",
        "Resize",
        "Pad",
        "Transpose",
        "MatMul",
        "MaxPool",
    )
    assert all(operators[op] >= 10 for op in often), operators
    assert random_graph(3) == random_graph(3) != random_graph(4)
