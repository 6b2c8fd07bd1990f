"""The faults that are injected are faults, and what the survey says of them is what the check says."""

from __future__ import annotations

from importlib import import_module

import onnx
import pytest

from tests.support.networks.injected_faults import FAULTS, NETWORKS, faulty, network

injected_faults = import_module("tests.surveys.injected_faults")  # a survey is no test, but stands among them


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_changes_one_thing_in_some_network(fault):
    found = 0
    for kind in NETWORKS:
        right, wrong = network(kind, 0), faulty(kind, fault, 0)
        if wrong is None:
            continue
        found += 1
        assert right.SerializeToString() == network(kind, 0).SerializeToString() != wrong.SerializeToString()
        parts = ((right.graph.node, wrong.graph.node), (right.graph.initializer, wrong.graph.initializer))
        assert sum(a != b for old, new in parts for a, b in zip(old, new, strict=True)) == 1
        onnx.checker.check_model(wrong, full_check=True)
    assert found


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("name", "outcome"), [("right: binary 0", "right"), ("two channels swapped: binary 0", "right")]
)
def test_a_row(name, outcome):
    assert name in injected_faults.names()
    row = injected_faults.row(name)
    assert row["outcome"] == outcome and {row[column] for column in injected_faults.OTHERS} == {outcome}
    assert ("disagrees with onnxruntime" in row["reason"]) is not name.startswith("right")
