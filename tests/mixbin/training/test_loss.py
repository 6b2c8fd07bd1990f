"""Mean losses, logits and accuracies by hand, over batches of unequal size, and a model that is left as it was."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.data import TensorImages
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.loss import CrossEntropy, device_of, evaluate, evaluating, logits, mean_loss

IMAGES = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
LABELS = torch.tensor([0, 0, 1])
BATCHES = [(IMAGES[:2], LABELS[:2]), (IMAGES[2:], LABELS[2:], "a third part, which is not read")]


def test_every_image_counts_alike_in_the_mean_loss():
    """-log softmax of the right class: of margins 2, -1 and 3."""
    expected = sum(math.log(1 + math.exp(-margin)) for margin in (2, -1, 3)) / 3
    assert mean_loss(nn.Identity(), BATCHES) == pytest.approx(expected, rel=1e-6)


def test_a_loss_of_ones_own():
    wrong = lambda outputs, labels: (outputs.argmax(1) != labels).float().mean()
    assert mean_loss(nn.Identity(), BATCHES, loss=wrong) == pytest.approx(1 / 3)


def test_the_accuracy_is_the_share_of_right_answers_of_batches_and_of_a_split():
    assert evaluate(nn.Identity(), BATCHES) == 2 / 3
    assert evaluate(nn.Flatten(), TensorImages(IMAGES[:, :, None, None], LABELS)) == 2 / 3


def test_logits_are_in_the_order_of_the_images_and_have_no_gradient():
    double = nn.Linear(2, 2, bias=False)
    nn.init.eye_(double.weight)
    found = logits(double, BATCHES)
    assert torch.equal(found, IMAGES) and not found.requires_grad


def test_the_network_is_evaluated_and_each_module_is_in_its_own_mode_again():
    model = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm1d(2))
    model[1].eval()
    assert torch.allclose(logits(model, BATCHES), IMAGES, rtol=1e-4)  # no image is dropped, none counts for the norm
    assert [module.training for module in (model, *model)] == [True, True, False]
    with pytest.raises(KeyError), evaluating(model):
        assert not any(module.training for module in model.modules())
        raise KeyError
    assert [module.training for module in (model, *model)] == [True, True, False]


def test_no_image_and_no_finite_loss_are_refused():
    with pytest.raises(InputError, match="accuracy needs at least one batch"):
        evaluate(nn.Identity(), [])
    with pytest.raises(InputError, match="the loss needs at least one batch"):
        mean_loss(nn.Identity(), [])
    with pytest.raises(InputError, match="the loss is nan.*check its weights"):
        mean_loss(nn.Identity(), [(IMAGES * math.nan, LABELS)])


def test_smoothed_cross_entropy_is_named_by_its_repr():
    smoothed = CrossEntropy(0.1)
    others = F.cross_entropy(IMAGES, 1 - LABELS)
    expected = 0.95 * F.cross_entropy(IMAGES, LABELS) + 0.05 * others
    assert smoothed(IMAGES, LABELS).item() == pytest.approx(expected.item(), rel=1e-6)
    assert repr(smoothed) == "CrossEntropy(smoothing=0.1, class_weights=None)"


def test_an_image_counts_as_much_as_its_class():
    weighted = CrossEntropy(class_weights=(1.0, 3.0))
    each = F.cross_entropy(IMAGES, LABELS, reduction="none")
    weights = torch.tensor((1.0, 3.0))[LABELS]
    assert weighted(IMAGES, LABELS).item() == pytest.approx(((each * weights).sum() / weights.sum()).item(), rel=1e-6)
    assert repr(weighted) != repr(CrossEntropy())


def test_the_device_is_that_of_the_first_tensor():
    assert device_of(nn.ReLU()) == torch.device("cpu")
    assert device_of(nn.Linear(1, 1, device="meta")) == torch.device("meta")
