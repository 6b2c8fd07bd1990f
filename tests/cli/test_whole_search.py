"""Which phase of a search this is, and how much time is left."""

from __future__ import annotations

import ast

import pytest

from b2nn_tvm.cli import whole_search
from b2nn_tvm.cli.search import MASKS, _whole, main
from b2nn_tvm.cli.whole_search import WholeSearch
from b2nn_tvm.loop import settings
from tests.support.paths import ROOT


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def whole(clock: Clock, **options) -> WholeSearch:
    return WholeSearch(
        **{"float_epochs": 10, "epochs": 5, "masks": 6, "scores": True, "compare": 0, **options}, now=clock
    )


def test_phases_are_counted_and_time_is_told_once_it_is_known(clock: Clock) -> None:
    far = whole(clock)
    assert far("check the images", 0, 9) == "phase 1 of 7"
    assert far("build networks to measure", 0, 8) == "phase 2 of 7"
    clock.s = 80.0  # ten seconds for each of 8 networks
    assert far("measure their layers", 8, 8) == "phase 2 of 7"
    assert far("train the float network", 0, 100) == "phase 3 of 7"
    clock.s = 130.0  # half of ten epochs: ten seconds each; then 50 are left, 8 epochs' time and 9 networks
    assert far("train the float network", 50, 100) == "phase 3 of 7, about 4 min left"
    clock.s = 180.0
    assert far("score the layers", 0, 4) == "phase 4 of 7, about 3 min left"
    far("find the choice that keeps the budget", 0, 6)
    assert far("measure networks in turn", 1, 3).startswith("phase 5 of 7, about ")
    far("fine-tune the chosen network", 0, 100)
    clock.s = 250.0
    assert far("export, compile and check the chosen network", 0, 3) == "phase 7 of 7, about 30 s left"


def test_phases_that_were_read_from_disk_say_nothing_of_the_time(clock: Clock) -> None:
    far = whole(clock)
    far("measure networks in turn", 0, 8)
    clock.s = 0.1
    assert far("train the float network", 100, 100) == "phase 3 of 7"


def test_a_delivery_over_the_budget_goes_back_to_the_choice(clock: Clock) -> None:
    far = whole(clock, float_epochs=0, scores=False, compare=2)
    assert far("export, compile and check the chosen network", 0, 3) == "phase 5 of 6"
    assert far("find the choice that keeps the budget", 0, 6) == "phase 3 of 6"
    assert far("test the float network", 1, 1) == "phase 3 of 6"
    assert far("measure random choices", 1, 2) == "phase 6 of 6"


def test_networks_of_fronts_are_counted_and_those_that_are_tuned(clock: Clock) -> None:
    def left(**options) -> str:
        clock.s = 0.0
        far = whole(clock, masks=0, epochs=1, float_epochs=1, **options)
        far("measure networks in turn", 0, 2)
        clock.s = 20.0  # ten seconds for each of two networks
        far("train the float network", 0, 10)
        clock.s = 30.0  # and as long for the epoch
        far("export, compile and check the chosen network", 0, 3)
        return far("measure networks in turn", 0, 12)

    assert left() == "phase 7 of 7, about 30 s left"  # those of the delivery
    assert left(front=12) == "phase 7 of 8, about 2 min left"
    assert left(front=12, tuned_front=12) == "phase 7 of 8, about 6 min left"


def test_fronts_of_more_precisions_are_measured_unasked() -> None:
    def phases(*words: str) -> list[str]:
        given = main.make_context("b2nn-search", ["--model", "cresnet20", *words, "-o", "result"]).params
        return list(_whole(given)._phases)

    assert "front" not in phases() and "front" in phases("--front", "4")
    assert "front" in phases("--precisions", "1,8,32")
    assert "front" not in phases("--precisions", "1,8,32", "--plan", "plan.json")


@pytest.mark.parametrize(("seconds", "words"), [(3, "10 s"), (84, "80 s"), (95, "2 min"), (5500, "1.5 h")])
def test_times_are_round(seconds: float, words: str) -> None:
    assert whole_search._words(seconds) == words


def test_the_reports_are_those_of_the_search() -> None:
    """Every phase is one that the code reports, and the defaults are those of the settings."""
    told = set()
    for path in [*(ROOT / "b2nn_tvm" / "loop").rglob("*.py"), *(ROOT / "b2nn_tvm" / "data").rglob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        told |= {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
    assert {*whole_search.REPORTS, *whole_search.MEASURING} <= told
    assert settings.SelectionSettings().masks == MASKS
