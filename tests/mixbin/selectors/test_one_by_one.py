"""Each layer alone is measured once: what is kept, what is taken up again, and what is left as it was."""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion import options as conversion
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.training.calibrate import calibrate
from b2nn_tvm.mixbin.training.loss import mean_loss
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.plan import Plan
from tests.support.mixbin.three_layers import NAMES


def test_the_model_is_left_as_it_was(small, small_batches):
    before, modes = copy.deepcopy(small.state_dict()), [module.training for module in small.modules()]
    methods.score("mixbin-grad", small, small_batches)
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())
    assert modes == [module.training for module in small.modules()]


def test_an_interrupted_measurement_goes_on_where_it_stopped(small, small_batches, tmp_path, monkeypatch):
    path = tmp_path / "scores.json"

    def interrupt(phase, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        methods.score("mixbin-loss", small, small_batches, path=path, progress=interrupt)
    assert list(Sensitivity.load(path).scores) == NAMES[:2]
    converted = []
    real = conversion.convert
    monkeypatch.setattr(
        conversion, "convert", lambda m, names, **kw: converted.append(tuple(names)) or real(m, names, **kw)
    )
    resumed = methods.score("mixbin-loss", small, small_batches, path=path)
    assert converted == [(), ("conv3",)]
    monkeypatch.undo()
    assert resumed == methods.score("mixbin-loss", small, small_batches)
    assert Sensitivity.load(path) == resumed


def test_scores_of_another_model_batch_or_method_are_not_taken_up(small, small_batches, tmp_path):
    path = tmp_path / "scores.json"
    methods.score("mixbin-loss", small, small_batches, path=path)
    document = json.loads(path.read_text())
    for row in document["layers"]:
        row["score"] = row["delta"] = 123.0
    path.write_text(json.dumps(document))
    assert set(methods.score("mixbin-loss", small, small_batches, path=path).scores.values()) == {123.0}
    for measure_again in (
        lambda: methods.score("mixbin-loss", small, small_batches[:1], path=path),
        lambda: methods.score("mixbin-grad", small, small_batches, path=path),
        lambda: methods.score(
            "mixbin-loss", small, small_batches, path=path, conversion=ConversionOptions(pad_value=1)
        ),
    ):
        path.write_text(json.dumps(document))
        assert 123.0 not in measure_again().scores.values()
    other = copy.deepcopy(small)
    with torch.no_grad():
        other.fc.bias[0] += 1e-3
    path.write_text(json.dumps(document))
    assert 123.0 not in methods.score("mixbin-loss", other, small_batches, path=path).scores.values()


def test_progress_counts_layers(small, small_batches):
    calls = []
    methods.score(
        "mixbin-loss", small, small_batches, layers=["conv2", "conv1"], progress=lambda *call: calls.append(call)
    )
    assert calls == [("mixbin-loss", done, 2) for done in range(3)]


def test_a_loss_that_is_not_finite_is_refused(small, small_batches):
    broken = copy.deepcopy(small)
    with torch.no_grad():
        broken.fc.bias[0] = float("inf")
    with pytest.raises(InputError, match="not finite"):
        methods.score("mixbin-loss", broken, small_batches)


@pytest.mark.parametrize("precision", ["int8", "w2a2", pytest.param("w1a2", marks=pytest.mark.sweep)])
def test_every_precision_has_a_delta_of_its_own(small, small_batches, tmp_path, precision):
    """That of the network in which the layer alone is quantized, calibrated on the float network with its batch norms
    re-estimated.
    """
    found = methods.score("mixbin-loss", small, small_batches, precision=precision, path=tmp_path / "scores.json")
    assert list(found.scores) == (["stem", *NAMES, "fc"] if precision == "int8" else NAMES)
    student = convert(small, Plan({"conv2": precision}), input_shape=(2, 6, 6))
    calibrate(reestimate(student, small_batches), small_batches)
    expected = mean_loss(reestimate(student, small_batches), small_batches)
    assert found.deltas["conv2"] == pytest.approx(expected - found.reference_loss, abs=1e-5)
    assert found.deltas != methods.score("mixbin-loss", small, small_batches).deltas
    by_gradient = methods.score("mixbin-grad", small, small_batches, precision=precision)
    assert all(math.isfinite(score) and score > 0 for score in by_gradient.scores.values())


def test_eight_bits_harm_less_than_one(small, small_batches):
    score = lambda word: methods.score("mixbin-loss", small, small_batches, layers=NAMES, precision=word).scores
    binary, int8 = score("binary"), score("int8")
    assert sum(map(abs, int8.values())) < 0.2 * sum(map(abs, binary.values()))
