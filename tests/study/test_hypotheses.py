"""The hypotheses can be run, and their grids have what their comparisons compare."""

from __future__ import annotations

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.study.cells import LONGER
from b2nn_tvm.study.hypotheses import HYPOTHESES, Comparison, Of, hypothesis
from b2nn_tvm.study.settings import LEVELS
from b2nn_tvm.study.transfer.compare import SIDES, method
from tests.support.paths import ROOT


@pytest.mark.parametrize("each", HYPOTHESES, ids=lambda each: str(each.number))
def test_the_grid_has_what_is_compared(each) -> None:
    settings = each.settings
    there = {Of("reference", "all binary", "least"), Of("reference", "all float", "100")}
    there |= {Of("reference", LONGER, "100")} if settings.longer_float else set()
    there |= {Of("methods", name, f"{budget:g}") for name in settings.methods for budget in settings.budgets}
    there |= {Of("activations", name, level) for name in settings.activations for level in LEVELS}
    there |= {Of("recipes", name, "least") for name in settings.ablations}
    there |= {Of("fronts", name, budget) for name in settings.fronts for budget in ("", "100")}
    there |= {Of("selections", name, f"{budget:g}") for name in settings.selections for budget in settings.budgets}
    if settings.other_data:
        names = [method(kind, side) for kind in ("own", "carried") for side in SIDES]
        there |= {Of("transfer", name, f"{budget:g}") for name in names for budget in settings.budgets}
    for comparison in each.comparisons:
        assert {comparison.first, comparison.second, comparison.at or comparison.first} <= there
    assert settings.seeds >= 2 and settings.recipe == "standard"


def test_the_manual_has_every_claim() -> None:
    page = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    assert [
        f"| {each.number} | {each.claim} |" for each in HYPOTHESES if f"| {each.number} | {each.claim} |" not in page
    ] == []


def test_a_hypothesis_is_found_by_its_number() -> None:
    assert all(hypothesis(each.number) is each for each in HYPOTHESES)
    with pytest.raises(InputError, match="there is no hypothesis 99; choose one of 1, 2"):
        hypothesis(99)


def test_what_is_compared_is_told_in_words() -> None:
    assert str(Of("methods", "random", "40")) == "random at 40 % of the FLOPs"
    assert str(Of("activations", "binrelu", "zero")) == "binrelu at zero binarization"
    assert str(Of("reference", "all binary", "least")) == "all binary"
    assert str(Of("fronts", "float", "75")) == "float at 75 % of the width"
    assert str(Of("fronts", "mixbin 1,32", "20")) == "mixbin 1,32 at 20 % of the way"
    fronts = Comparison(Of("fronts", "mixbin 1,32", ""), Of("fronts", "float", ""), at=Of("fronts", "int8", "100"))
    assert str(fronts) == "the front of mixbin 1,32 less the front of float within the milliseconds of int8"
