"""Every step of the greedy choice, by the losses of all mixtures of a toy, and by a budget."""

from __future__ import annotations

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.progressive.driver import progressive
from b2nn_tvm.mixbin.progressive.settings import Progression
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.greedy import Greedy
from tests.support.mixbin import noise
from tests.support.mixbin.noise import LAYERS, cost
from tests.support.mixbin.toy import NAMES

CLOSE = 1e-9  # of the loss: sums of float64 in another order


@pytest.fixture(scope="module")
def subject(model, batches):
    return ScoringTask.of(model, batches)


@pytest.mark.sweep
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


@pytest.mark.sweep
def test_the_score_of_greedy_is_the_step(model, batches, truth):
    some = NAMES[6:]
    found = methods.score("greedy", model, batches, layers=some)
    assert sorted(found.scores.values()) == [0.0, 1.0, 2.0, 3.0]
    for count in range(4):
        chosen, left = found.order[:count], set(some) - set(found.order[:count])
        best = min(truth[[*chosen, name]] for name in left)
        assert truth[[*chosen, found.order[count]]] <= best + CLOSE


def test_greedy_with_training_ends_with_the_budget_and_ranks_the_rest():
    data, model = noise.images(), noise.network()
    batches = data.calibration(48)
    options = {"data": data, "cost": cost(), "limit": 80, "seed": 1}
    found = methods.score(Greedy(epochs=1), model, batches, **options)
    steps = progressive(ScoringTask.of(model, batches, **options), Progression("greedy", epochs=1)).steps
    assert found.method == "greedy-trained" and len(steps) == 2
    assert found.order[:2] == tuple(step.layer for step in steps)
    rest = sorted(set(LAYERS) - set(found.order[:2]), key=steps[-1].losses.get)
    assert found.order[2:] == tuple(rest)


def test_training_needs_data(model, batches):
    with pytest.raises(InputError, match="greedy-trained trains after each step"):
        methods.score("greedy-trained", model, batches)


def test_a_negative_number_of_epochs_is_refused():
    with pytest.raises(InputError, match="at least 0, not -1"):
        Greedy(epochs=-1)
