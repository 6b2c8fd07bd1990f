"""A phase counts the steps of all its stages; at the end the batch norms are those of the trained weights."""

from __future__ import annotations

import copy

import torch

from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.training.finetune import finetune
from b2nn_tvm.mixbin.training.finish import StageProgress, finish_training
from b2nn_tvm.mixbin.training.hardware import HERE
from b2nn_tvm.mixbin.training.loss import evaluate
from b2nn_tvm.mixbin.training.recipe import Recipe
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.mixbin.training.training_progress import StepReport
from b2nn_tvm.progress import silent
from tests.support.mixbin.training import Told, network, same


def test_progress_runs_through_both_stages(data, teacher):
    told = Told()
    result = finetune(convert(teacher, ["3"]), teacher, data, epochs=3, batch=32, progress=told)
    assert told.phases == {"fine-tune"} and told.steps == list(range(1, 31)) and told.total == 30
    assert told.epochs == [f"loss {record.loss:.3f}, accuracy {record.accuracy:.1%}" for record in result.history]


def test_silence_needs_no_callback():
    with StageProgress(silent, "train", first=0, total=1).callbacks(HERE) as found:
        assert found == []
    with StageProgress(Told(), "train", first=0, total=1).callbacks(HERE) as found:
        assert [type(callback) for callback in found] == [StepReport]


def test_the_batch_norms_are_settled_on_training_batches(data):
    """Their running statistics become those of the batches that training takes, the other weights stay."""
    model, expected = network(), network()
    start = copy.deepcopy(model.state_dict())
    recipe = Recipe("float", epochs=1, lr=0.1, decay=0.0, batch=32, seed=3)
    accuracy = finish_training(model, data, recipe, HERE)
    reestimate(expected, data.train_loader(32, seed=3))
    assert same(model, expected) and not model.training
    assert accuracy == evaluate(expected, data.val)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, start[name])}
    assert changed == {name for name, _ in model.named_buffers()}
