"""The error of the inputs and the cost by hand, and the plans of three states that come of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.scoring.input_error import InputErrorMetric
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.hybrid import Hybrid, top_cluster
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.plan import Precision
from tests.support.mixbin.toy import KERNELS, NAMES


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
    with pytest.raises(InputError, match=r"from 0 to 1, not 1.0 and 2"):
        Hybrid(float_inputs=2)
    with pytest.raises(InputError, match=r"blocks.0.conv is not binary"):
        methods.score(Hybrid(trained=model), model, batches)
