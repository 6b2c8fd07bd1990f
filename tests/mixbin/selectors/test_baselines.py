"""The baselines by hand: orders, amplitudes, swaps, hybrid networks, and the registry over all of them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from b2nn_tvm.cli import output
from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.scoring.input_error import InputErrorMetric
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selection.select import select
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.bnas_amplitude import BnasAmplitude
from b2nn_tvm.mixbin.selectors.greedy import Greedy
from b2nn_tvm.mixbin.selectors.hawq_v2 import HawqV2
from b2nn_tvm.mixbin.selectors.hybrid import Hybrid, top_cluster
from b2nn_tvm.mixbin.selectors.pseudo_random import PseudoRandom
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.plan import Precision
from tests.mixbin.selectors.toy import KERNELS, NAMES

UNITS = AdditiveCost("flops", 0, dict.fromkeys(NAMES, 64), dict.fromkeys(NAMES, 1))


def test_front_and_rear_are_the_order_of_the_network(model, batches):
    assert methods.score("front", model, batches).order == NAMES
    assert methods.score("rear", model, batches).order == NAMES[::-1]
    shuffled = methods.score("front", model, batches, layers=NAMES[::-1])
    assert shuffled.order == NAMES and tuple(shuffled.scores) == NAMES[::-1]


def test_random_orders_are_drawn_by_the_seed(model, batches):
    draw = lambda seed: methods.score("random", model, batches, layers=NAMES, seed=seed).order
    assert draw(1) == draw(1)
    first = [draw(seed)[0] for seed in range(200)]
    assert set(first) == set(NAMES) and max(map(first.count, NAMES)) < 45  # 20 expected


@pytest.mark.parametrize("norm", BnasAmplitude.NORMS)
def test_the_amplitude_by_hand(model, batches, norm):
    found = methods.score(f"bnas-{norm}", model, batches)
    for name in NAMES:
        weight = model.get_submodule(name).weight.detach().double()
        lost = sum(float((row.abs() - row.abs().mean()).square().sum()) for row in weight)
        by = {"raw": 1, "per-weight": weight.numel(), "relative": float(weight.square().sum())}[norm]
        assert found.scores[name] == pytest.approx(lost / by)


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


@pytest.mark.parametrize("metric", ["rms", "relative-rms", "unsaturated"])
def test_hybrid_joins_the_error_of_the_inputs_with_the_cost(model, batches, metric):
    subject = ScoringTask.of(model, batches)
    binary = reestimate(convert(model, NAMES), batches).eval()
    inputs = {}
    for name in NAMES:
        watch = lambda _, arguments, name=name: inputs.update({name: arguments[0]})
        binary.get_submodule(name).register_forward_pre_hook(watch)
    with torch.no_grad():
        binary(batches[0][0])
    error = {
        "rms": lambda x: ((x >= 0) * 2.0 - 1 - x).square().mean().sqrt(),
        "relative-rms": lambda x: ((x >= 0) * 2.0 - 1 - x).norm() / x.norm(),
        "unsaturated": lambda x: (1 - x.clamp(-1, 1) ** 2).abs().mean(),
    }[metric]
    errors = {name: float(error(inputs[name])) for name in NAMES}
    for hybrid in (Hybrid(metric, gamma=0.5), Hybrid(metric, gamma=0.5, trained=binary)):
        assert hybrid.errors(subject) == pytest.approx(errors, rel=1e-4)
    unit = lambda values, value: (value - min(values)) / (max(values) - min(values))
    cheap = {name: 1 / kernel**2 for name, kernel in zip(NAMES, KERNELS)}
    scores = methods.score(Hybrid(metric, gamma=0.5), model, batches).scores
    for name in NAMES:
        expected = unit(errors.values(), errors[name]) + 0.5 * unit(cheap.values(), cheap[name])
        assert scores[name] == pytest.approx(expected, abs=1e-4)


def test_the_top_cluster_has_at_most_its_share():
    scores = dict(zip("abcdefgh", (0.0, 0.1, 0.15, 1.0, 1.05, 1.1, 2.0, 2.1)))
    assert top_cluster(scores, 1.0) == set(scores)  # one cluster is within it
    assert top_cluster(scores, 0.7) == set("defgh")
    assert top_cluster(scores, 0.25) == set("gh")
    assert top_cluster(scores, 0.2) == set("h")
    assert top_cluster(scores, 0.1) == frozenset()
    assert top_cluster(dict.fromkeys("abc", 1.0), 0.5) == frozenset()


def test_a_hybrid_plan_has_three_states(batches):
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 4, 1), nn.Tanh(), nn.Conv2d(4, 4, 3), nn.Tanh()),
        *(nn.Conv2d(4, 4, 3, groups=2), nn.Tanh(), nn.Conv2d(4, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ).double()
    subject = ScoringTask.of(model, batches)
    assert subject.layers == ("2", "4")
    one = InputErrorMetric(1, lambda x: torch.ones(1, dtype=torch.float64), lambda total: 1.0)
    plan = Hybrid(one, float_inputs=0.5).plan(subject, model="small")  # equal errors: the cheap one keeps its input
    states = {"0": "weight-binary", "2": "weight-binary", "4": "binary", "6": "float", "8": "weight-binary"}
    assert plan.layers == {name: Precision(state) for name, state in states.items()}
    mixed = convert(model, plan)
    assert [mixed[i].input_binary for i in (0, 2, 4, 8)] == [False, False, True, False]
    assert mixed(batches[0][0]).shape == (64, 10)


def test_hybrid_refuses_what_does_not_fit(model, batches):
    with pytest.raises(InputError, match="no input error 'max'; choose one of rms"):
        Hybrid("max")
    with pytest.raises(InputError, match="from 0 to 1, not 1.0 and 2"):
        Hybrid(float_inputs=2)
    with pytest.raises(InputError, match="blocks.0.conv is not binary"):
        methods.score(Hybrid(trained=model), model, batches)


def test_every_method_of_the_registry_gives_a_finite_score_per_layer(model, batches, data):
    assert len(methods.names()) == len(set(methods.names())) == 17
    some = NAMES[7:]
    cost = AdditiveCost("flops", 0, dict.fromkeys(some, 64), dict.fromkeys(some, 1))
    options = {"layers": some, "cost": cost, "limit": 100, "data": data, "seed": 3}
    for name in methods.names():
        selector = {"hawq-v2": HawqV2(most_draws=2), "greedy-trained": Greedy(epochs=0)}.get(name, name)
        found = methods.score(selector, model, batches, **options)
        assert tuple(found.scores) == some and all(map(math.isfinite, found.scores.values()))
        assert methods.get(name).name == name
    with pytest.raises(InputError, match="'hawq'.*mixbin-loss, mixbin-grad, mixbin-loss-printed-order"):
        methods.score("hawq", model, batches)


def test_scores_end_up_on_disk_and_a_bar_shows_the_way(model, batches, tmp_path, capsys):
    options = {"layers": NAMES[8:], "path": tmp_path / "s.json"}
    with output.progress() as bars:
        found = methods.score("mixbin-loss", model, batches, progress=bars, **options)
    assert Sensitivity.load(tmp_path / "s.json") == found
    assert "mixbin-loss" in capsys.readouterr().err
    with pytest.raises(InputError, match="no layer blocks.77.conv; its layers are stem, blocks.0.conv"):
        methods.score("front", model, batches, layers=["blocks.77.conv"])
