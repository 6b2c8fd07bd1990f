"""What the pieces of work depend on: what was computed before these inputs changed would be computed again."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.study.cells import Cell, Network
from b2nn_tvm.study.choice import Choice
from b2nn_tvm.study.settings import StudySettings
from b2nn_tvm.study.tasks import FineTuning, Net, Slimming
from b2nn_tvm.study.work.trainings import Asked, Trainings, parent_name
from tests.support.study.few_digits import NAME

COST = AdditiveCost("flops", 10, {"a": 20, "b": 20}, {"a": 0, "b": 0})
NETWORK, NARROW = (Network(Net("net", width, "relu"), COST, 0.1) for width in (8, 4))
SETTINGS = StudySettings(
    data=NAME, images=8, methods=("front",), activations=(), seeds=1, calibration=32, float_epochs=2, epochs=3
)
CHOICE = Choice(("a",), 30, False)


@pytest.fixture
def trainings(tmp_path: Path) -> Trainings:
    found = Trainings(SETTINGS, State(tmp_path), parents={})
    for network, sparse in ((NETWORK, False), (NETWORK, True), (NARROW, False)):
        name = parent_name(network, 0, sparse=sparse)
        found.parents[name] = {"weights": f"those of {name}"}
    return found


def test_a_parent_depends_on_its_net_and_how_it_is_trained(trainings: Trainings) -> None:
    ((name, item),) = trainings.parent_items([NETWORK])
    assert name == "parents/net-8-relu/seed-0"
    assert item.inputs == {
        "net": {"model": "net", "width": 8, "activation": "relu"},
        "data": trainings.bundle.digest,
        "seed": 0,
        "epochs": 2,
        "recipe": "quick",
        "precision": "auto",
        "sparse": False,
    }


def test_a_scoring_depends_on_its_parent_and_its_method(trainings: Trainings) -> None:
    asked = [Asked(NETWORK, "front", 0, (5,)), Asked(NETWORK, "front", 2, (5,), "int8")]
    items = dict(trainings.scoring_items(asked))
    inputs = {
        "parent": "those of parents/net-8-relu/seed-0",
        "data": trainings.bundle.digest,
        "method": "front",
        "seed": 0,
        "limits": [5],
        "calibration": 32,
        "draw": 0,
    }
    assert items["scores/net-8-relu/seed-0/front"].inputs == inputs
    other = items["scores/net-8-relu/seed-0/front-2@int8"]
    assert other.inputs == inputs | {"draw": 2, "precision": "int8"}
    trainings.parents.clear()
    assert not dict(trainings.scoring_items(asked)) and len(dict(trainings.scoring_items(asked, planned=True))) == 2


def test_a_fine_tuning_depends_on_its_parents_and_its_choice(trainings: Trainings, tmp_path: Path) -> None:
    inputs = {
        "parent": "those of parents/net-8-relu/seed-0",
        "data": trainings.bundle.digest,
        "seed": 0,
        "epochs": 3,
        "recipe": "quick",
        "precision": "auto",
        "calibration": 32,
    }
    chosen = trainings.finetuning_item(Cell("methods", "front", "60", 0, NETWORK, CHOICE))
    assert chosen.inputs == inputs | {"binary": ["a"]}
    assert isinstance(chosen.make(tmp_path), FineTuning)
    slimmed = trainings.finetuning_item(Cell("methods", "slim", "60", 0, NETWORK, None, 40))
    assert slimmed.inputs == inputs | {"sparse": "those of parents/net-8-relu/seed-0-sparse", "limit": 40}
    assert isinstance(slimmed.make(tmp_path), Slimming)
    taught = trainings.finetuning_item(Cell("fronts", "float", "50", 0, NARROW, CHOICE, teacher=NETWORK))
    assert taught.inputs["parent"] == "those of parents/net-4-relu/seed-0"
    assert taught.inputs["teacher"] == inputs["parent"]


def test_a_cell_needs_its_parents(trainings: Trainings) -> None:
    narrow = Cell("fronts", "float", "50", 0, NARROW, CHOICE, teacher=NETWORK)
    slimmed = Cell("methods", "slim", "60", 0, NARROW, None)
    assert trainings.has_parents(narrow) and not trainings.has_parents(slimmed)
    del trainings.parents[parent_name(NETWORK, 0)]
    assert not trainings.has_parents(narrow)
