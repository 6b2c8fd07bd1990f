"""Gradients, Hessian products and what is made of them, against the explicit Hessian of a tiny network."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.binarizers import binarize
from b2nn_tvm.mixbin.scoring.curvature import Curvature
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.adaptive_mbq import AdaptiveMbq
from b2nn_tvm.mixbin.selectors.hawq_v2 import HawqV2, trace_parts

LAYERS = ("first", "second")


class Tiny(nn.Module):
    """Two eligible convolutions of four weights each, between a stem and a classifier."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3)
        self.first, self.second = (nn.Conv2d(2, 2, 1, bias=False) for _ in range(2))
        self.bn = nn.BatchNorm2d(2)
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        x = torch.tanh(self.first(torch.tanh(self.stem(x))))
        return self.fc(torch.tanh(self.bn(self.second(x))).mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    model = Tiny().double()
    model.bn.running_var.fill_(0.5)
    return model.train()  # all is measured in evaluation mode, and it is left as it is


@pytest.fixture(scope="module")
def batches():
    torch.manual_seed(1)
    make = lambda count: (torch.randn(count, 1, 4, 4, dtype=torch.float64), torch.randint(0, 3, (count,)))
    return [make(5), make(3)]


@pytest.fixture(scope="module")
def derivatives(tiny, batches):
    """Gradient [8] and Hessian [8, 8] in the weights of both layers, by torch's own functions."""
    x, labels = (torch.cat(parts) for parts in zip(*batches))
    start = torch.cat([tiny.get_submodule(name).weight.detach().flatten() for name in LAYERS])

    def loss(flat):
        weights = {f"{name}.weight": part.reshape(2, 2, 1, 1) for name, part in zip(LAYERS, flat.split(4))}
        return F.cross_entropy(functional_call(tiny.eval(), weights, (x,)), labels)

    found = torch.autograd.functional.jacobian(loss, start), torch.autograd.functional.hessian(loss, start)
    tiny.train()
    return found


def flat(tensors) -> torch.Tensor:
    return torch.cat([tensors[name].flatten() for name in LAYERS])


def part(name: str) -> slice:
    return slice(0, 4) if name == "first" else slice(4, 8)


def test_gradients_and_products_are_those_of_the_explicit_hessian(tiny, batches, derivatives):
    gradient, hessian = derivatives
    curvature = Curvature(tiny, LAYERS, batches, F.cross_entropy)
    torch.testing.assert_close(flat(curvature.gradients()), gradient)
    vectors = {name: torch.randn(2, 2, 1, 1, dtype=torch.float64) for name in LAYERS}
    torch.testing.assert_close(flat(curvature.products(vectors)), hessian @ flat(vectors))
    alone = curvature.products({"second": vectors["second"]})["second"]
    torch.testing.assert_close(alone.flatten(), hessian[4:, 4:] @ vectors["second"].flatten())
    assert tiny.training and all(parameter.requires_grad for parameter in tiny.parameters())


def test_a_loss_without_curvature_has_none(tiny, batches):
    """The mean output is linear in the last layer's weights."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()).double()
    curvature = Curvature(model, ["0"], batches, lambda outputs, labels: outputs.mean())
    assert not curvature.products({"0": torch.ones(2, 1, 3, 3, dtype=torch.float64)})["0"].any()


def test_the_mean_over_all_sign_vectors_is_the_trace(tiny, batches, derivatives):
    """Over all 256 of them, what Hutchinson's estimate has for its expected value: the trace of each layer's block."""
    _, hessian = derivatives
    curvature = Curvature(tiny, LAYERS, batches, F.cross_entropy)
    totals = dict.fromkeys(LAYERS, 0.0)
    for signs in itertools.product((-1.0, 1.0), repeat=8):
        vector = torch.tensor(signs, dtype=torch.float64)
        vectors = {name: vector[part(name)].reshape(2, 2, 1, 1) for name in LAYERS}
        for name, value in trace_parts(curvature, vectors).items():
            totals[name] += value / 256
    for name in LAYERS:
        block = hessian[part(name), part(name)]
        assert totals[name] == pytest.approx(float(block.trace()), rel=1e-9)


def test_hawq_v2_weighs_the_average_trace_by_what_binarizing_changes(tiny, batches, derivatives):
    _, hessian = derivatives
    found = methods.score(HawqV2(tolerance=0, most_draws=400), tiny, batches, layers=LAYERS)
    for name in LAYERS:
        weight = tiny.get_submodule(name).weight.detach()
        change = float((binarize(weight).dense - weight).square().sum())
        block = hessian[part(name), part(name)]
        spread = float((block - block.diag().diag()).square().sum().mul(2).sqrt()) / 20  # of the mean of 400 draws
        spread += float(hessian[:4, 4:].norm()) / 20  # the other layer's share of the joint product
        assert found.scores[name] == pytest.approx(float(block.trace()) / 4 * change, abs=4 * spread / 4 * change)


def test_hawq_v2_stops_when_the_means_settle_and_goes_on_where_it_stopped(tiny, batches, tmp_path):
    draws = []
    count = lambda phase, done, total: draws.append(done)
    methods.score(HawqV2(tolerance=1e9), tiny, batches, layers=LAYERS, progress=count)
    assert draws == [0, 1, 100]  # one mean to compare with, one that did not change by more
    whole = methods.score(HawqV2(tolerance=0, most_draws=6), tiny, batches, layers=LAYERS)

    def interrupt(phase, done, total):
        if done == 3:
            raise KeyboardInterrupt

    options = {"layers": LAYERS, "path": tmp_path / "scores.json"}
    with pytest.raises(KeyboardInterrupt):
        methods.score(HawqV2(tolerance=0, most_draws=6), tiny, batches, progress=interrupt, **options)
    draws.clear()
    resumed = methods.score(HawqV2(tolerance=0, most_draws=6), tiny, batches, progress=count, **options)
    assert draws == [3, 4, 5, 6] and resumed.scores == whole.scores
    other_seed = methods.score(HawqV2(tolerance=0, most_draws=6), tiny, batches, seed=1, **options)
    assert other_seed.scores != whole.scores


@pytest.mark.parametrize("order", [1, 2])
def test_adaptive_mbq_is_the_taylor_expansion(tiny, batches, derivatives, order, tmp_path):
    gradient, hessian = derivatives
    path = tmp_path / "scores.json"
    found = methods.score(AdaptiveMbq(order), tiny, batches, layers=LAYERS, path=path)
    for name in LAYERS:
        weight = tiny.get_submodule(name).weight.detach()
        change = (binarize(weight).dense - weight).flatten()
        slope = float(gradient[part(name)] @ change)
        bend = float(change @ hessian[part(name), part(name)] @ change) / 2
        assert found.scores[name] == pytest.approx(abs(slope) if order == 1 else slope + bend, rel=1e-9)
    assert methods.score(AdaptiveMbq(order), tiny, batches, layers=LAYERS, path=path).scores == found.scores


def test_options_out_of_range_are_refused():
    with pytest.raises(InputError, match="order 1 or 2, not 3"):
        AdaptiveMbq(3)
    with pytest.raises(InputError, match="at least one draw, not 0.001 and 0"):
        HawqV2(most_draws=0)
