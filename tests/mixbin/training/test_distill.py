"""Distillation: the loss by its formula, the teacher's answers computed ahead, and a student that comes nearer."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from b2nn_tvm.data.augment.augmentation import Augmentation
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.training.distill import Distillation, distill_from, distillation_loss
from b2nn_tvm.mixbin.training.finetune import finetune
from b2nn_tvm.mixbin.training.loss import CrossEntropy, logits


def test_the_distillation_loss_is_the_formula():
    torch.manual_seed(0)
    student, teacher_logits, labels = torch.randn(5, 4), torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 0])
    p, q = (torch.softmax(x / 3.0, dim=1) for x in (teacher_logits, student))
    divergence = (p * (p / q).log()).sum() / 5
    expected = 0.6 * 9 * divergence + 0.4 * F.cross_entropy(student, labels)
    found = distillation_loss(student, teacher_logits, labels, temperature=3.0, weight=0.6)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert distillation_loss(student, student, labels, temperature=3.0, weight=1.0).item() == pytest.approx(0, abs=1e-6)


def test_answers_computed_ahead_equal_those_of_the_running_teacher(data, teacher):
    objective, answered = distill_from(teacher, data, temperature=2.0, weight=0.5)
    batch = next(iter(answered.train_loader(16)))
    assert len(batch) == 3
    outputs = torch.randn(16, 10)
    assert objective(outputs, batch).item() == pytest.approx(objective(outputs, batch[:2]).item(), rel=1e-5)
    moving = replace(data, train=replace(data.train, augment=Augmentation(shift=1)))
    assert distill_from(teacher, moving, temperature=2.0, weight=0.5)[1] is moving
    weights = (1.0,) * 9 + (2.0,)
    weighted, _ = distill_from(teacher, replace(moving, class_weights=weights), temperature=2.0, weight=0.5)
    assert weighted.loss == CrossEntropy(class_weights=weights) and objective.loss == CrossEntropy()


def test_distillation_brings_the_student_nearer_to_the_teacher(data, teacher):
    def distance(student):
        images = data.val
        return F.kl_div(
            F.log_softmax(logits(student, images), dim=1),
            F.log_softmax(logits(teacher, images), dim=1),
            reduction="batchmean",
            log_target=True,
        ).item()

    student = convert(teacher, ["3", "6"])
    untrained = distance(student)
    distilled, labels_only = copy.deepcopy(student), copy.deepcopy(student)
    result = finetune(distilled, teacher, data, epochs=6, batch=32, distillation=1.0, first_stage=0)
    finetune(labels_only, teacher, data, epochs=6, batch=32, distillation=0.0, first_stage=0)
    assert result.history[-1].loss < 0.5 * result.history[0].loss
    assert distance(distilled) < 0.5 * untrained
    assert distance(distilled) < distance(labels_only)


def test_a_temperature_of_zero_is_refused(teacher):
    with pytest.raises(InputError, match="temperature above 0"):
        Distillation(0.0, 0.5, "", teacher)
