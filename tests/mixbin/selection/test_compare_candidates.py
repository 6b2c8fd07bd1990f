"""The runners-up are trained alike, and the most accurate one comes first."""

from __future__ import annotations

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.selection.compare_candidates import compare_candidates
from b2nn_tvm.mixbin.selection.select import runners_up
from b2nn_tvm.mixbin.training.loss import evaluate
from tests.support.mixbin import noise
from tests.support.mixbin.noise import LAYERS, cost


@pytest.fixture(scope="module")
def data():
    return noise.images()


@pytest.fixture(scope="module")
def model():
    return noise.network()


def test_runners_up_are_trained_with_equal_effort_and_the_most_accurate_comes_first(model, data, tmp_path):
    scores = {name: float(index) for index, name in enumerate(LAYERS)}
    selections = runners_up(scores, cost(), 80, count=3)
    done = []
    options = {"epochs": 1, "workdir": tmp_path, "seed": 3}
    found = compare_candidates(model, selections, data, progress=lambda *call: done.append(call), **options)
    assert done == [("fine-tune the candidates", count, 3) for count in range(4)]
    assert {one.selection for one in found} == set(selections)
    assert [one.accuracy for one in found] == sorted((one.accuracy for one in found), reverse=True)
    for one in found:
        assert evaluate(one.model, data.val_loader()) == one.accuracy
        binary = tuple(name for name, module in one.model.named_modules() if isinstance(module, BinaryConv2d))
        assert binary == one.selection.binary
    again = compare_candidates(model, selections, data, **options)  # from the finished checkpoints
    assert [one.accuracy for one in again] == [one.accuracy for one in found]
    with pytest.raises(InputError, match="at least one selection"):
        compare_candidates(model, [], data, epochs=1)
