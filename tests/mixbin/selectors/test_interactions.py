"""What pairs of layers add, and what exact selection makes of it, by the losses of all mixtures of a toy."""

from __future__ import annotations

import itertools

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.selection.select import runners_up, select
from b2nn_tvm.mixbin.selectors.interactions import measure_interactions
from tests.support.mixbin.toy import KERNELS, NAMES

pytestmark = pytest.mark.sweep
CLOSE = 1e-9  # of the loss: sums of float64 in another order


@pytest.fixture(scope="module")
def subject(model, batches):
    return ScoringTask.of(model, batches)


@pytest.fixture(scope="module")
def interactions(subject):
    return measure_interactions(subject)


@pytest.fixture(scope="module")
def cost():
    """In multiply-accumulates: kernels of three sizes."""
    macs = {name: 8 * 8 * 64 * kernel**2 for name, kernel in zip(NAMES, KERNELS)}
    return AdditiveCost("flops", 0, macs, {name: count // 64 for name, count in macs.items()})


def test_interactions_are_what_pairs_add(interactions, truth):
    assert list(interactions.terms) == list(itertools.combinations(NAMES, 2))
    for (one, other), term in interactions.terms.items():
        expected = truth[[one, other]] - truth[[one]] - truth[[other]] + truth[()]
        assert term == pytest.approx(expected, abs=4 * CLOSE)


def test_exact_selection_is_the_best_of_all_subsets_by_the_measured_terms(interactions, cost, truth):
    """With pairs the sum is a better guess of the joint loss than without, at most budgets at least as good a
    choice.
    """
    scores, better = interactions.alone.scores, []
    for percent in (20, 35, 50, 65, 80):
        limit = cost.full * percent // 100
        single = select(scores, cost, limit, solver="exact")
        paired = select(scores, cost, limit, solver="exact", pairwise=interactions.terms)
        affordable = [s for n in range(11) for s in itertools.combinations(NAMES, n) if cost.total(s) <= limit]
        guess = lambda s: (
            sum(scores[name] for name in s)
            + sum(term for pair, term in interactions.terms.items() if set(pair) <= set(s))
        )
        assert paired.harm == pytest.approx(min(map(guess, affordable)), abs=1e-9)
        assert single.harm == pytest.approx(min(sum(scores[n] for n in s) for s in affordable), abs=1e-9)
        assert single.harm <= select(scores, cost, limit).harm + 1e-12
        best = min(truth[s] for s in affordable)
        better.append((truth[paired.binary] - best) - (truth[single.binary] - best))
    assert sum(difference <= 1e-9 for difference in better) >= 3


def test_the_true_best_mixture_is_among_the_runners_up(interactions, cost, truth):
    limit = cost.full // 2
    found = runners_up(interactions.alone.scores, cost, limit, count=30, pairwise=interactions.terms)
    affordable = [s for n in range(11) for s in itertools.combinations(NAMES, n) if cost.total(s) <= limit]
    assert [one.harm for one in found] == sorted(one.harm for one in found)
    assert min(truth[one.binary] for one in found) == min(map(truth.__getitem__, affordable))


def test_pairs_are_of_binary_layers(model, batches):
    with pytest.raises(InputError, match="pairs are measured of binary layers, not of int8 ones"):
        measure_interactions(ScoringTask.of(model, batches, layers=NAMES[:2], precision="int8"))
