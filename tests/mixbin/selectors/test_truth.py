"""What selectors say of a network all of whose 1,024 mixtures are known."""

from __future__ import annotations

import itertools

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.mixbin.progressive.driver import progressive
from b2nn_tvm.mixbin.progressive.settings import Progression
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.selection.select import runners_up, select
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.hawq_v2 import HawqV2
from b2nn_tvm.mixbin.selectors.interactions import measure_interactions
from tests.mixbin.selectors.toy import KERNELS, NAMES

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


def test_mixbin_loss_is_the_true_rise_for_every_layer(model, batches, truth):
    found = methods.score("mixbin-loss", model, batches)
    assert tuple(found.scores) == NAMES
    assert found.reference_loss == pytest.approx(truth[()], abs=CLOSE)
    for name in NAMES:
        assert found.scores[name] == pytest.approx(truth[[name]] - truth[()], abs=CLOSE)


def test_the_corrected_order_finds_good_mixtures_and_the_printed_one_bad_ones(model, batches, truth):
    for name in ("mixbin-loss", "mixbin-grad"):
        corrected, printed = (methods.score(word, model, batches).order for word in (name, f"{name}-printed-order"))
        for count in range(2, 9):
            assert truth.rank(corrected[:count]) <= 0.1
            assert truth.rank(printed[:count]) >= 0.7


def test_greedy_takes_the_best_layer_at_every_step(subject, truth):
    found = progressive(subject, Progression("greedy"))
    chosen: list[str] = []
    for step in found.steps:
        left = [name for name in NAMES if name not in chosen]
        assert step.losses == pytest.approx({name: truth[[*chosen, name]] for name in left}, abs=CLOSE)
        assert truth[[*chosen, step.layer]] <= min(truth[[*chosen, name]] for name in left) + CLOSE
        chosen.append(step.layer)
        assert step.loss == pytest.approx(truth[chosen], abs=CLOSE)
    assert found.stopped == "no layer left" and set(found.layers) == set(NAMES)


def test_the_score_of_greedy_is_the_step(model, batches, truth):
    some = NAMES[6:]
    found = methods.score("greedy", model, batches, layers=some)
    assert sorted(found.scores.values()) == [0.0, 1.0, 2.0, 3.0]
    for count in range(4):
        chosen, left = found.order[:count], set(some) - set(found.order[:count])
        best = min(truth[[*chosen, name]] for name in left)
        assert truth[[*chosen, found.order[count]]] <= best + CLOSE


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


def test_curvature_tells_more_than_the_size_of_what_is_lost(model, batches, truth):
    """Six of ten layers: what the literature's tables of baselines find on larger networks, in small."""
    rank = lambda method: truth.rank(methods.score(method, model, batches).order[:6])
    assert rank(HawqV2(most_draws=8)) < 0.3
    assert rank(HawqV2(most_draws=8)) < rank("bnas-raw")
    assert rank("mbq-second-order") < 0.5
