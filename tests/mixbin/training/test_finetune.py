"""Fine-tuning: two stages, distilled from the float network, resumed where it stopped."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from b2nn_tvm.data.augment.augmentation import Augmentation
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.training import finetune as finetuning
from b2nn_tvm.mixbin.training.calibrate import calibrate
from b2nn_tvm.mixbin.training.finetune import finetune
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.loss import evaluate
from b2nn_tvm.plan import Plan
from tests.support.mixbin.training import StopAfter, network, same, stop_after
from tests.support.sweep import few


def test_fine_tuning_recovers_accuracy(data, teacher):
    student = convert(teacher, ["3", "6"])
    before = evaluate(student, data.val)
    result = finetune(student, teacher, data, epochs=8, batch=32, lr=5e-3)
    assert result.accuracy > before + 0.1
    assert result.accuracy > evaluate(teacher, data.val) - 0.15


def test_the_first_stage_has_float_weights_and_the_second_decays_none_of_them(data, teacher, monkeypatch):
    stages = []
    real = finetuning.fit

    def watch(student, *arguments, recipe, **options):
        binary = [module for module in student.modules() if isinstance(module, BinaryConv2d)]
        stages.append((recipe.stage, recipe.epochs, {module.weight_binary for module in binary}, recipe.undecayed))
        return real(student, *arguments, recipe=recipe, **options)

    monkeypatch.setattr(finetuning, "fit", watch)
    student = convert(teacher, ["3", "6"])
    result = finetune(student, teacher, data, epochs=3)
    assert stages == [
        ("binary-activations", 1, {False}, frozenset()),
        ("binary-weights", 2, {True}, frozenset({"3.weight", "6.weight"})),
    ]
    assert all(module.weight_binary for module in student.modules() if isinstance(module, BinaryConv2d))
    assert [record.stage for record in result.history] == ["binary-activations"] + ["binary-weights"] * 2


def test_weights_that_are_undecayed_are_not_decayed(data, teacher):
    """A huge decay shrinks the float convolution and leaves the binary one near its size."""
    student = convert(teacher, ["6"])
    before = {name: student.get_parameter(name).abs().mean().item() for name in ("3.weight", "6.weight")}
    finetune(student, teacher, data, epochs=4, first_stage=0, weight_decay=10.0, lr=3e-3)
    after = {name: student.get_parameter(name).abs().mean().item() for name in before}
    assert after["3.weight"] < 0.7 * before["3.weight"]
    assert after["6.weight"] > 0.85 * before["6.weight"]


def test_a_student_without_binary_layers_has_one_stage(data, teacher):
    result = finetune(convert(teacher, []), teacher, data, epochs=2)
    assert [record.stage for record in result.history] == ["float", "float"]


@pytest.mark.parametrize("steps", few([5, 15, 35], [15]))
def test_resumed_fine_tuning_equals_an_uninterrupted_one(data, teacher, tmp_path, steps):
    """Stopped in the first epoch, in the first stage, and in the second; each stage has two epochs of 10 steps."""
    run = lambda student, **options: finetune(student, teacher, data, epochs=4, first_stage=0.5, batch=32, **options)
    whole, broken, resumed = (convert(teacher, ["3", "6"]) for _ in range(3))
    expected = run(whole)
    with pytest.raises(StopAfter):
        run(broken, workdir=tmp_path, progress=stop_after(steps))
    assert all(module.weight_binary for module in broken.modules() if isinstance(module, BinaryConv2d))
    assert run(resumed, workdir=tmp_path) == expected
    assert same(whole, resumed)


def test_mixed_precision_fine_tunes_binary_layers(data, teacher):
    student = convert(teacher, ["3", "6"], learned_threshold=True)
    result = finetune(student, teacher, data, epochs=3, batch=32, hardware=Hardware(precision="bf16-mixed"))
    assert result.accuracy > evaluate(teacher, data.val) - 0.2
    assert student.get_parameter("6.threshold").abs().max() > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_a_gpu_trains_in_mixed_precision_and_gives_the_network_back(data, teacher):
    moving = replace(data, train=replace(data.train, augment=Augmentation(shift=1)))  # the teacher runs along
    student = convert(teacher, ["3", "6"])
    result = finetune(student, teacher, moving, epochs=4, batch=32, hardware=Hardware(accelerator="gpu"))
    assert result.accuracy > evaluate(teacher, data.val) - 0.2
    assert not any(tensor.is_cuda for net in (student, teacher) for tensor in net.state_dict().values())


def test_a_first_stage_that_leaves_no_second_is_refused(data, teacher):
    with pytest.raises(InputError, match="first stage"):
        finetune(network(), teacher, data, epochs=1, first_stage=1.0)


@pytest.fixture(scope="module")
def quantized(data, teacher):
    plan = Plan({"0": "int8", "3": "w2a2", "6": "w1a2"})
    return calibrate(convert(teacher, plan, input_shape=data.input_shape), data.calibration(images=64, seed=0))


def test_quantized_layers_are_trained_and_resumed(data, teacher, quantized, tmp_path):
    run = lambda student, **options: finetune(student, teacher, data, epochs=2, batch=32, **options)
    whole, broken, resumed = (copy.deepcopy(quantized) for _ in range(3))
    expected = run(whole)
    with pytest.raises(StopAfter):
        run(broken, workdir=tmp_path, progress=stop_after(15))
    assert run(resumed, workdir=tmp_path) == expected and same(whole, resumed)
    for name in ("0.input_quantizer.log2_step", "3.weight_quantizer.log2_step", "6.weight"):
        assert not torch.equal(whole.get_parameter(name), quantized.get_parameter(name))
    assert expected.accuracy > evaluate(quantized, data.val)


def test_inputs_without_a_scale_are_not_trained(data, teacher):
    student = convert(teacher, Plan({"3": "w2a2"}), input_shape=data.input_shape)
    with pytest.raises(InputError, match="the inputs of 3 have no scale yet"):
        finetune(student, teacher, data, epochs=1)
