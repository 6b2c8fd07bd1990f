"""Which networks make up the fronts."""

from __future__ import annotations

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.study.cells import Network
from b2nn_tvm.study.fronts.kinds import KINDS, front_cells, kinds, precisions, widths
from b2nn_tvm.study.settings import FRONTS, SEARCHED, StudySettings
from b2nn_tvm.study.tasks import Net

SETTINGS = StudySettings(methods=(), activations=(), fronts=FRONTS, width=8, narrower=(50,), ways=(0, 40), seeds=1)
OPTIONS = ("a", "a@int8", "b", "b@int8", "b@w1a2")
COST = AdditiveCost("flops", 10, {"a": 64, "b": 64}, {"a": 1, "a@int8": 8, "b": 1, "b@int8": 8, "b@w1a2": 2})
NETWORKS = {percent: Network(Net("net", width, "relu"), COST, 0.1) for percent, width in widths(SETTINGS).items()}


def test_the_kinds_are_those_of_the_settings() -> None:
    assert tuple(KINDS) == FRONTS and [name for name in KINDS if KINDS[name].searched] == list(SEARCHED)
    assert precisions(kinds(SETTINGS).values()) == ("int8", "w1a2", "binary")
    assert widths(SETTINGS) == {100.0: 8, 50: 4}


def test_single_precisions_in_all_layers_and_mixtures_as_chosen() -> None:
    choices = {(0, "mixbin 1,8,32", 0): ("a", "b@int8"), (0, "mixbin 1,32", 40): ("b",)}
    cells = {(cell.method, cell.budget): cell for cell in front_cells(SETTINGS, NETWORKS, choices)}
    assert {key: cell.choice.binary for key, cell in cells.items()} == {
        ("float", "100"): (),
        ("float", "50"): (),
        ("int8", "100"): ("a@int8", "b@int8"),
        ("int8", "50"): ("a@int8", "b@int8"),
        ("w1a2", "100"): ("b@w1a2",),
        ("binary", "100"): ("a", "b"),
        ("mixbin 1,32", "40"): ("b",),
        ("mixbin 1,8,32", "0"): ("a", "b@int8"),
    }
    assert cells["mixbin 1,8,32", "0"].choice.flops == 10 + 1 + 8


def test_narrower_networks_learn_from_the_full_one_and_have_trainings_of_their_own() -> None:
    cells = list(front_cells(SETTINGS, NETWORKS, {}))
    assert [cell.network.net.width for cell in cells if cell.teacher] == [4, 4]
    assert all(cell.teacher is NETWORKS[100.0] for cell in cells if cell.teacher)
    assert len({cell.training for cell in cells}) == len(cells)


@pytest.mark.parametrize("fronts", [("float",), ("mixbin 1,32",)])
def test_a_study_may_have_a_few_of_them(fronts: tuple[str, ...]) -> None:
    found = StudySettings(methods=(), activations=(), fronts=fronts)
    assert tuple(kinds(found)) == fronts
