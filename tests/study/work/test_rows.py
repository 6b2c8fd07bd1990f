"""The row of a cell says what was trained, at which share of the float network's cost."""

from __future__ import annotations

from pathlib import Path

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.study.cells import Cell, Network
from b2nn_tvm.study.settings import StudySettings
from b2nn_tvm.study.tasks import Net
from b2nn_tvm.study.work.rows import row_of
from b2nn_tvm.study.work.trainings import Trainings, parent_name
from tests.support.study.few_digits import NAME

FULL, NARROW = (
    Network(Net("net", width, "relu"), AdditiveCost("flops", 0, {"a": size}, {"a@int8": size // 8}), 0.1)
    for width, size in ((8, 80), (4, 40))
)
BEFORE, AFTER = ({"validation": value, "test": value} for value in (0.25, 0.5))


def test_rows_of_a_parent_of_a_choice_and_of_a_narrower_network(tmp_path: Path) -> None:
    settings = StudySettings(data=NAME, images=8, methods=("front",), activations=(), float_epochs=2, epochs=3)
    parents = {parent_name(network, 0): {**BEFORE, "weights": ""} for network in (FULL, NARROW)}
    trainings = Trainings(settings, State(tmp_path), parents=parents)
    parent = Cell("reference", "all float", "100", 0, FULL, FULL.with_binary(()), tuned=False)
    mixed = Cell("fronts", "int8", "100", 0, FULL, FULL.all_in("int8"))
    narrow = Cell("fronts", "float", "50", 0, NARROW, NARROW.with_binary(()), teacher=FULL)
    found = {cell.training: {"before": BEFORE, "after": AFTER, "seconds": 1.5} for cell in (mixed, narrow)}
    rows = [row_of(cell, trainings, found) for cell in (parent, mixed, narrow)]
    assert [(row.test, row.test_before, row.epochs, row.seconds) for row in rows] == [
        (0.25, 0.25, 0, 0.0),
        (0.5, 0.25, 3, 1.5),
        (0.5, 0.25, 3, 1.5),
    ]
    assert [(row.layers, row.flops, row.float_flops, row.share, row.width) for row in rows] == [
        ("", 80, 80, 1.0, 8),
        ("a@int8", 10, 80, 0.125, 8),
        ("", 40, 80, 0.5, 4),
    ]
    assert rows[0].training == parent_name(FULL, 0) and all(row.ms is None and row.cpu == "" for row in rows)
