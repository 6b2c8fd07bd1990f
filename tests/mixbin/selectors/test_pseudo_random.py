"""The choice under a budget, a share of it swapped."""

from __future__ import annotations

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selection.select import select
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.pseudo_random import PseudoRandom
from tests.support.mixbin.toy import NAMES

UNITS = AdditiveCost("flops", 0, dict.fromkeys(NAMES, 64), dict.fromkeys(NAMES, 1))


class Given:
    """A selector whose scores are given."""

    name = "given"

    def __init__(self, scores):
        self.scores = scores

    def score(self, subject):
        return Sensitivity(self.name, {name: self.scores[name] for name in subject.layers})


def test_pseudo_random_swaps_a_share_of_the_choice(model, batches):
    base = Given({name: float(index) for index, name in enumerate(NAMES)})
    options = {"cost": UNITS, "limit": UNITS.total(NAMES[:6]), "layers": NAMES}
    members = set(NAMES[:6])
    choices = set()
    for seed in range(12):
        found = methods.score(PseudoRandom(0.3, base), model, batches, seed=seed, **options)
        chosen = select(found.scores, UNITS, options["limit"]).binary
        assert len(chosen) == 6 and len(members & set(chosen)) == 4  # 30 % of six, rounded
        choices.add(chosen)
    assert len(choices) > 8
    assert found.scores == methods.score(PseudoRandom(0.3, base), model, batches, seed=11, **options).scores


def test_the_budget_is_checked_again_after_the_swap(model, batches):
    """The chosen layer saves most; the newcomer saves less, so that others follow, and the one that went comes last."""
    cost = AdditiveCost("flops", 0, {name: 100 if name == NAMES[0] else 10 for name in NAMES}, dict.fromkeys(NAMES, 1))
    base = Given({name: float(index) for index, name in enumerate(NAMES)})
    limit = cost.total(NAMES[:1])
    found = methods.score(PseudoRandom(1.0, base), model, batches, cost=cost, limit=limit)
    assert found.order[-1] == NAMES[0]
    assert cost.total(select(found.scores, cost, limit).binary) <= limit
    with pytest.raises(InputError, match="give it a cost and a limit"):
        methods.score("pseudo-random", model, batches)
