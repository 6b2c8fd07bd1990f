"""The estimated traces, against the explicit Hessian of a tiny network and against the truth of a toy."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional as F

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.binarizers import binarize
from b2nn_tvm.mixbin.modules.weight_quantizer import WeightQuantizer
from b2nn_tvm.mixbin.scoring.curvature import Curvature
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.hawq_v2 import HawqV2, trace_parts
from tests.support.mixbin.explicit_hessian import LAYERS, part


def test_the_mean_over_all_sign_vectors_is_the_trace(tiny, tiny_batches, derivatives):
    """Over all 256 of them, what Hutchinson's estimate has for its expected value: the trace of each layer's block."""
    _, hessian = derivatives
    curvature = Curvature(tiny, LAYERS, tiny_batches, F.cross_entropy)
    totals = dict.fromkeys(LAYERS, 0.0)
    for signs in itertools.product((-1.0, 1.0), repeat=8):
        vector = torch.tensor(signs, dtype=torch.float64)
        vectors = {name: vector[part(name)].reshape(2, 2, 1, 1) for name in LAYERS}
        for name, value in trace_parts(curvature, vectors).items():
            totals[name] += value / 256
    for name in LAYERS:
        block = hessian[part(name), part(name)]
        assert totals[name] == pytest.approx(float(block.trace()), rel=1e-9)


def test_hawq_v2_weighs_the_average_trace_by_what_binarizing_changes(tiny, tiny_batches, derivatives):
    _, hessian = derivatives
    found = methods.score(HawqV2(tolerance=0, most_draws=400), tiny, tiny_batches, layers=LAYERS)
    for name in LAYERS:
        weight = tiny.get_submodule(name).weight.detach()
        change = float((binarize(weight).dense - weight).square().sum())
        block = hessian[part(name), part(name)]
        spread = float((block - block.diag().diag()).square().sum().mul(2).sqrt()) / 20  # of the mean of 400 draws
        spread += float(hessian[:4, 4:].norm()) / 20  # the other layer's share of the joint product
        assert found.scores[name] == pytest.approx(float(block.trace()) / 4 * change, abs=4 * spread / 4 * change)


def test_hawq_v2_stops_when_the_means_settle_and_goes_on_where_it_stopped(tiny, tiny_batches, tmp_path):
    draws = []
    count = lambda phase, done, total: draws.append(done)
    methods.score(HawqV2(tolerance=1e9), tiny, tiny_batches, layers=LAYERS, progress=count)
    assert draws == [0, 1, 100]  # one mean to compare with, one that did not change by more
    whole = methods.score(HawqV2(tolerance=0, most_draws=6), tiny, tiny_batches, layers=LAYERS)

    def interrupt(phase, done, total):
        if done == 3:
            raise KeyboardInterrupt

    options = {"layers": LAYERS, "path": tmp_path / "scores.json"}
    with pytest.raises(KeyboardInterrupt):
        methods.score(HawqV2(tolerance=0, most_draws=6), tiny, tiny_batches, progress=interrupt, **options)
    draws.clear()
    resumed = methods.score(HawqV2(tolerance=0, most_draws=6), tiny, tiny_batches, progress=count, **options)
    assert draws == [3, 4, 5, 6] and resumed.scores == whole.scores
    other_seed = methods.score(HawqV2(tolerance=0, most_draws=6), tiny, tiny_batches, seed=1, **options)
    assert other_seed.scores != whole.scores


def test_options_out_of_range_are_refused():
    with pytest.raises(InputError, match=r"at least one draw, not 0.001 and 0"):
        HawqV2(most_draws=0)


@pytest.mark.sweep
def test_curvature_tells_more_than_the_size_of_what_is_lost(model, batches, truth):
    """Six of ten layers: what the literature's tables of baselines find on larger networks, in small."""
    rank = lambda method: truth.rank(methods.score(method, model, batches).order[:6])
    assert rank(HawqV2(most_draws=8)) < 0.3
    assert rank(HawqV2(most_draws=8)) < rank("bnas-raw")
    assert rank("mbq-second-order") < 0.5


@pytest.mark.parametrize("precision", ["int8", "w1a2", "w2a2"])
def test_every_precision_is_weighed_by_what_it_changes(tiny, tiny_batches, precision):
    binary, other = (
        methods.score(HawqV2(most_draws=3), tiny, tiny_batches, layers=LAYERS, precision=word).scores
        for word in ("binary", precision)
    )
    for name in LAYERS:
        weight = tiny.get_submodule(name).weight.detach()
        bits = {"int8": 8, "w1a2": 1, "w2a2": 2}[precision]
        change, most = (
            float((form.detach() - weight).square().sum())
            for form in (WeightQuantizer(bits, weight)(weight), binarize(weight).dense)
        )
        assert other[name] == pytest.approx(binary[name] * change / most)
