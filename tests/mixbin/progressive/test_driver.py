"""The progressive driver: its settings are the methods, it stops where it should, and goes on where it was stopped."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm.errors import BudgetError, InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.progressive import driver
from b2nn_tvm.mixbin.progressive.driver import progressive
from b2nn_tvm.mixbin.progressive.settings import LAYER_WISE_PRIORITY, Progression
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.training.loss import evaluate, mean_loss
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.plan import Precision
from tests.support.mixbin import noise
from tests.support.mixbin.noise import LAYERS, cost


@pytest.fixture(scope="module")
def data():
    return noise.images()


@pytest.fixture(scope="module")
def model():
    return noise.network()


@pytest.fixture(scope="module")
def batches(data):
    return data.calibration(48)


@pytest.fixture
def subject(model, data, batches):
    return ScoringTask.of(model, batches, data=data)


@pytest.mark.parametrize(
    ("order", "layers"),
    [
        ("front", LAYERS),
        ("rear", LAYERS[::-1]),
        (dict(zip(LAYERS, (2.0, 0.0, 3.0, 1.0))), tuple(LAYERS[i] for i in (1, 3, 0, 2))),
    ],
)
def test_front_rear_and_any_scores_are_orders(subject, batches, data, order, layers):
    found = progressive(subject, Progression(order))
    assert found.layers == layers and found.stopped == "no layer left"
    for count, step in enumerate(found.steps, start=1):
        net = reestimate(convert(subject.model, layers[:count]), batches)
        assert step.loss == pytest.approx(mean_loss(net, batches), abs=1e-5)
        assert step.accuracy == evaluate(net, data.val_loader())
    assert found.plan.binary == LAYERS
    assert mean_loss(found.model, batches) == pytest.approx(found.steps[-1].loss, abs=1e-6)


def test_it_stops_where_the_cost_is_within_the_limit(model, batches):
    subject = ScoringTask.of(model, batches, cost=cost(), limit=80)
    found = progressive(subject, Progression("rear"))
    assert found.layers == LAYERS[:1:-1] and found.stopped == "limit"
    assert cost().total(found.layers) == 76
    assert found.plan.layers == {name: Precision.BINARY if name in LAYERS[2:] else Precision.FLOAT for name in LAYERS}
    nothing = progressive(ScoringTask.of(model, batches, cost=cost(), limit=1000), Progression("rear"))
    assert nothing.steps == () and nothing.stopped == "limit"
    with pytest.raises(BudgetError, match="no choice costs at most 5 bytes"):
        progressive(ScoringTask.of(model, batches, cost=cost(), limit=5), Progression("rear"))


def test_the_layer_that_falls_below_the_floor_is_not_kept(subject, data, monkeypatch):
    accuracies = iter([0.9, 0.8, 0.4])
    monkeypatch.setattr(driver, "evaluate", lambda model, loader: next(accuracies))
    found = progressive(subject, Progression("front", floor=0.5))
    assert found.layers == LAYERS[:2] and found.stopped == "floor"
    binary = [name for name, module in found.model.named_modules() if isinstance(module, BinaryConv2d)]
    assert tuple(binary) == LAYERS[:2]


def test_layer_wise_priority_binarizes_weights_from_the_rear_and_trains_the_rest_around_them(model, data, batches):
    subject = ScoringTask.of(model, batches, data=data, cost=cost(), limit=45)
    found = progressive(subject, LAYER_WISE_PRIORITY)
    assert found.layers == LAYERS[:0:-1]
    layers = {name: found.model.get_submodule(name) for name in LAYERS}
    assert not isinstance(layers[LAYERS[0]], BinaryConv2d)
    for name in found.layers:
        assert isinstance(layers[name], BinaryConv2d) and not layers[name].input_binary
        assert not layers[name].weight.requires_grad
    # The last layer was binarized first, in the float network: its weights are still those.
    assert torch.equal(layers[LAYERS[-1]].weight, model.get_submodule(LAYERS[-1]).weight)
    for name in (LAYERS[0], LAYERS[1], "conv1", "fc"):
        assert not torch.equal(found.model.get_submodule(name).weight, model.get_submodule(name).weight)
    assert set(found.plan.layers.values()) == {Precision.FLOAT, Precision.WEIGHT_BINARY}


@pytest.mark.sweep
def test_it_goes_on_after_the_last_finished_layer_and_within_a_greedy_step(subject, tmp_path, monkeypatch):
    how = Progression("greedy", epochs=1)
    whole = progressive(subject, how)
    trained, real = [], driver.finetune

    def interrupted(*args, **options):
        trained.append(1)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(driver, "finetune", interrupted)
    with pytest.raises(KeyboardInterrupt):
        progressive(subject, how, folder=tmp_path)
    tried, reestimated = [], driver.SharedRuns.reestimated
    monkeypatch.setattr(
        driver.SharedRuns, "reestimated", lambda self, variant: tried.append(1) or reestimated(self, variant)
    )
    found = progressive(subject, how, folder=tmp_path)
    assert len(trained) == 5  # two, the interrupted one, and the last two
    assert len(tried) == 1  # the third step's two candidates were known, the fourth has one
    assert found.steps == whole.steps and found.stopped == whole.stopped
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, found.model.state_dict()[name])


def test_other_settings_begin_anew(subject, tmp_path):
    first = progressive(subject, Progression("front"), folder=tmp_path)
    assert progressive(subject, Progression("rear"), folder=tmp_path).layers == first.layers[::-1]


def test_what_is_missing_is_said(model, batches):
    with pytest.raises(InputError, match="needs data: a DataBundle"):
        progressive(ScoringTask.of(model, batches), Progression("front", epochs=1))
    with pytest.raises(InputError, match="no score is given for stage1.0.conv2"):
        progressive(ScoringTask.of(model, batches), Progression({LAYERS[0]: 1.0, LAYERS[2]: 1.0, LAYERS[3]: 1.0}))
    with pytest.raises(InputError, match="save bytes, not flops"):
        subject = ScoringTask.of(model, batches, cost=cost("flops"), limit=80)
        progressive(subject, Progression("rear", Precision.WEIGHT_BINARY))
