"""Scores of a tiny trained net against explicit recomputation."""

import copy
import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion import options as conversion
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.mixbin_grad import EPS

NAMES = ["conv1", "conv2", "conv3"]


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.conv1 = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.conv2, self.conv3 = nn.Conv2d(6, 8, 3, padding=1, bias=False), nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn0, self.bn1, self.bn2, self.bn3 = (nn.BatchNorm2d(width) for width in (6, 6, 8, 8))
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = torch.tanh(self.bn0(self.stem(x)))
        x = torch.tanh(self.bn1(self.conv1(x)))
        x = torch.tanh(self.bn2(self.conv2(x)))
        return self.fc(torch.tanh(self.bn3(self.conv3(x))).mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def batches():
    torch.manual_seed(0)
    return [
        (torch.randn(12, 2, 6, 6), torch.randint(0, 3, (12,))),
        (torch.randn(7, 2, 6, 6), torch.randint(0, 3, (7,))),
    ]


@pytest.fixture(scope="module")
def model(batches):
    torch.manual_seed(1)
    net = Tiny()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(30):
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            optimizer.step()
    return net.eval()


def by_hand(model, batches, name=None):
    """The network with one layer binarized by replacing it, its batch norms re-estimated, and its mean loss."""
    net = copy.deepcopy(model)
    if name:
        setattr(net, name, BinaryConv2d.from_conv(getattr(net, name)))
    norms = [net.bn0, net.bn1, net.bn2, net.bn3]
    means, variances = [[] for _ in norms], [[] for _ in norms]

    def watch(i):
        def record(_, arguments):
            means[i].append(arguments[0].mean(dim=(0, 2, 3)))
            variances[i].append(arguments[0].transpose(0, 1).flatten(1).var(dim=1))

        return record

    handles = [norm.register_forward_pre_hook(watch(i)) for i, norm in enumerate(norms)]
    net.train()
    with torch.no_grad():
        for images, _ in batches:
            net(images)
    for handle in handles:
        handle.remove()
    for norm, mean, variance in zip(norms, means, variances, strict=True):
        norm.running_mean, norm.running_var = sum(mean) / len(mean), sum(variance) / len(variance)
    net.eval()
    with torch.no_grad():
        total = sum(F.cross_entropy(net(x), y, reduction="sum").item() for x, y in batches)
    return net, total / sum(len(y) for _, y in batches)


def mixbin_loss(model, batches, **options):
    return methods.score("mixbin-loss", model, batches, **options)


def mixbin_grad(model, batches, **options):
    return methods.score("mixbin-grad", model, batches, **options)


def test_mixbin_loss_is_the_rise_of_the_loss(model, batches):
    found = mixbin_loss(model, batches)
    _, reference = by_hand(model, batches)
    assert list(found.scores) == NAMES and found.method == "mixbin-loss"
    assert found.reference_loss == pytest.approx(reference, abs=1e-6)
    for name in NAMES:
        _, loss = by_hand(model, batches, name)
        assert found.deltas[name] == pytest.approx(loss - reference, abs=1e-6)
    assert found.scores == found.deltas
    assert max(found.scores.values()) > 0.01  # binarizing a layer harms, and the harmful ones have the high scores


def test_mixbin_grad_weighs_the_rise_by_the_gradient(model, batches):
    found = mixbin_grad(model, batches)
    assert found.deltas == pytest.approx(mixbin_loss(model, batches).deltas)
    for name in NAMES:
        net, _ = by_hand(model, batches, name)
        inputs = []

        def keep_gradient(_, arguments, inputs=inputs):
            arguments[0].retain_grad()
            inputs.append(arguments[0])

        getattr(net, name).register_forward_pre_hook(keep_gradient)
        sum(F.cross_entropy(net(x), y, reduction="sum") for x, y in batches).div(19).backward()
        norm = getattr(net, name).weight.grad.abs().sum() + sum(x.grad.abs().sum() for x in inputs)
        assert found.scores[name] == pytest.approx(max(found.deltas[name], EPS) * norm.item(), rel=1e-4)


def test_where_binarizing_helps_the_gradient_keeps_its_meaning(model, batches):
    """With a loss that binarizing lowers, Delta is negative and every score stays above zero."""
    inverted = lambda outputs, labels: -F.cross_entropy(outputs, labels)
    found = mixbin_grad(model, batches, loss=inverted)
    assert min(found.deltas.values()) < 0
    assert all(score > 0 for score in found.scores.values())


def test_the_model_is_left_as_it_was(model, batches):
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    mixbin_grad(model, batches)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert modes == [module.training for module in model.modules()]


def test_an_interrupted_measurement_goes_on_where_it_stopped(model, batches, tmp_path, monkeypatch):
    path = tmp_path / "scores.json"

    def interrupt(phase, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mixbin_loss(model, batches, path=path, progress=interrupt)
    assert list(Sensitivity.load(path).scores) == NAMES[:2]
    converted = []
    real = conversion.convert
    monkeypatch.setattr(
        conversion, "convert", lambda m, names, **kw: converted.append(tuple(names)) or real(m, names, **kw)
    )
    resumed = mixbin_loss(model, batches, path=path)
    assert converted == [(), ("conv3",)]
    monkeypatch.undo()
    assert resumed == mixbin_loss(model, batches)
    assert Sensitivity.load(path) == resumed


def test_scores_of_another_model_batch_or_method_are_not_taken_up(model, batches, tmp_path):
    path = tmp_path / "scores.json"
    mixbin_loss(model, batches, path=path)
    document = json.loads(path.read_text())
    for row in document["layers"]:
        row["score"] = row["delta"] = 123.0
    path.write_text(json.dumps(document))
    assert set(mixbin_loss(model, batches, path=path).scores.values()) == {123.0}
    for measure_again in (
        lambda: mixbin_loss(model, batches[:1], path=path),
        lambda: mixbin_grad(model, batches, path=path),
        lambda: mixbin_loss(model, batches, path=path, conversion=ConversionOptions(pad_value=1)),
    ):
        path.write_text(json.dumps(document))
        assert 123.0 not in measure_again().scores.values()
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.fc.bias[0] += 1e-3
    path.write_text(json.dumps(document))
    assert 123.0 not in mixbin_loss(other, batches, path=path).scores.values()


def test_progress_counts_layers(model, batches):
    calls = []
    mixbin_loss(model, batches, layers=["conv2", "conv1"], progress=lambda *call: calls.append(call))
    assert calls == [("mixbin-loss", done, 2) for done in range(3)]


def test_the_printed_order_takes_the_most_harmful_layers_first(model, batches):
    for name in ("mixbin-loss", "mixbin-grad"):
        right, printed = (methods.score(word, model, batches) for word in (name, f"{name}-printed-order"))
        assert printed.deltas == pytest.approx(right.deltas)
        assert min(right.deltas.values()) > 0  # else the printed product with the norm would not be the reverse
        assert printed.order == right.order[::-1]


def test_what_cannot_be_scored_is_refused(model, batches):
    with pytest.raises(InputError, match="at least one batch"):
        mixbin_loss(model, [])
    with pytest.raises(InputError, match="at least one batch"):
        mixbin_loss(model, iter(batches))
    with pytest.raises(InputError, match="no layer of this Sequential"):
        mixbin_loss(nn.Sequential(nn.Flatten(), nn.Linear(72, 3)), batches)
    broken = copy.deepcopy(model)
    with torch.no_grad():
        broken.fc.bias[0] = float("inf")
    with pytest.raises(InputError, match="not finite"):
        mixbin_loss(broken, batches)
