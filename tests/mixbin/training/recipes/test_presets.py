"""The keywords of a recipe are those of the trainings, and binary and quantized layers train by them."""

from __future__ import annotations

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.training.calibrate import calibrate
from b2nn_tvm.mixbin.training.recipes.presets import preset
from b2nn_tvm.mixbin.training.train import finetune, train
from b2nn_tvm.plan import Plan
from tests.support.mixbin.training import few_digits, network


def test_binary_and_quantized_layers_train_by_the_standard_recipe() -> None:
    data, teacher, recipe = few_digits(), network(), preset("standard")
    train(teacher, data, epochs=2, batch=32, **recipe.float_training)
    student = convert(teacher, Plan({"3": "w1a2", "6": "binary"}), input_shape=data.input_shape)
    calibrate(student, data.calibration())
    result = finetune(student, teacher, data, epochs=3, batch=32, **recipe.finetuning)
    assert [record.stage for record in result.history] == ["binary-activations", "binary-weights", "binary-weights"]
    assert result.accuracy > 0.3


def test_the_longer_a_recipe_the_more_epochs() -> None:
    for one, other in (("quick", "standard"), ("standard", "long")):
        assert preset(one).float_epochs < preset(other).float_epochs and preset(one).epochs < preset(other).epochs


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(InputError, match="unknown recipe 'slow'; choose one of quick, standard, long"):
        preset("slow")
