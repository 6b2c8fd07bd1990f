"""Networks as users have them: what wraps them is taken off, computed weights become plain ones."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.optim.swa_utils import AveragedModel

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.tracing.prepare import copied, initialize, prepared

SHAPE = (3, 8, 8)


def plain():
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)]
    return nn.Sequential(nn.Sequential(*body), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)).eval()


def image():
    return torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))


def old(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **options)


def weight_norm(model):
    old(nn.utils.weight_norm, model[0][2])
    model(image())  # now the module holds a computed tensor, which copy.deepcopy refuses


def pruned(model):
    prune.l1_unstructured(model[0][2], "weight", 0.5)
    prune.random_unstructured(model[0][0], "bias", 0.5)


WEIGHTS = {
    "old weight norm": weight_norm,
    "old spectral norm": lambda model: old(nn.utils.spectral_norm, model[0][2]),
    "weight norm": lambda model: parametrizations.weight_norm(model[0][2]),
    "spectral norm": lambda model: parametrizations.spectral_norm(model[0][2]),
    "orthogonal": lambda model: parametrizations.orthogonal(model[0][2]),
    "pruned": pruned,
}


@pytest.mark.parametrize("change", WEIGHTS.values(), ids=WEIGHTS.keys())
def test_computed_weights_are_folded_and_the_original_stays(change):
    model = plain()
    names = list(model.state_dict())
    change(model)
    before, expected = list(model.state_dict()), model(image())
    for _ in range(2):
        result = prepared(model)
        assert sorted(result.state_dict()) == sorted(names)
        torch.testing.assert_close(result(image()), expected)
    assert list(model.state_dict()) == before
    torch.testing.assert_close(model(image()), expected, rtol=0, atol=0)
    table = trace(model, SHAPE)
    assert table.eligible == ["0.2"]
    binary = convert(model, table.eligible)
    torch.testing.assert_close(binary[0][2].weight, result[0][2].weight)
    assert all(isinstance(each, nn.Parameter) for each in (binary[0][2].weight, result[0][0].bias))


def compiled(model):
    return torch.compile(model, backend="eager")


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.DataParallel(compiled(plain()))

    def forward(self, x):
        return self.backbone(x)


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, AveragedModel, compiled, lambda model: nn.DataParallel(compiled(model))]
)
def test_wrappers_are_taken_off(wrap):
    model = wrap(plain())
    assert trace(model, SHAPE).eligible == ["0.2"]
    mixed = convert(model, ["0.2"])
    assert type(mixed) is nn.Sequential
    assert type(mixed[0][2]) is BinaryConv2d


def test_wrappers_of_submodules_are_taken_off():
    model = Backbone()
    assert list(prepared(model).state_dict()) == [f"backbone.{name}" for name in plain().state_dict()]
    assert trace(model, SHAPE).eligible == ["backbone.0.2"]
    torch.testing.assert_close(prepared(model).eval()(image()), plain()(image()))


def test_modes_are_kept():
    model = plain().train()
    model[0][3].eval()
    parametrizations.weight_norm(model[0][2])
    result = prepared(model)
    assert [result.training, result[0][2].training, result[0][3].training] == [True, True, False]


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("compiled", [torch.jit.script, lambda net: torch.jit.trace(net, image())])
def test_scripted_and_traced_modules_are_refused(compiled, inside):
    scripted = old(compiled, plain().eval())
    with pytest.raises(UnsupportedError, match="compiled by torch.jit.* give the network as it was before"):
        trace(nn.Sequential(scripted) if inside else scripted, SHAPE)


def test_what_cannot_be_copied_is_named():
    model = plain()
    model.log = (line for line in ())
    with pytest.raises(InputError, match="Sequential cannot be copied: cannot pickle 'generator' object"):
        copied(model)


def test_lazy_modules_get_their_parameters():
    model = nn.Sequential(
        nn.LazyConv2d(4, 3), nn.ReLU(), nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5)
    )
    table = trace(model, SHAPE)
    assert table.eligible == ["2"]
    assert type(model[2]) is nn.Conv2d
    assert model.training
    initialize(model, (1, 9, 9, 9))  # there is nothing left to do
    with pytest.raises(InputError, match=r"Sequential does not accept an input of shape \(1, 3, 2, 2\)"):
        trace(nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyConv2d(4, 3)), (3, 2, 2))


class WithoutInit(nn.Module):
    def __init__(self):
        pass


class Yields(nn.Module):
    def forward(self, x):
        yield x + 1


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (nn.ReLU, r"^expected a network, but got the class ReLU; make one, such as ReLU\(\)"),
        ({"weight": 1}, "^expected a network, a torch.nn.Module, but got dict; load a state_dict into a network first"),
        (None, "^expected a network, a torch.nn.Module, but got NoneType"),
        (WithoutInit(), r"^WithoutInit.__init__ does not call super\(\).__init__"),
        (Yields(), "^Yields gives a generator; return tensors"),
    ],
)
def test_what_is_no_network_is_refused(model, text):
    with pytest.raises((InputError, UnsupportedError), match=text):
        trace(model, SHAPE)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.bfloat16])
def test_other_types_stay(dtype):
    model = plain().to(dtype)
    mixed = convert(model, trace(model, SHAPE).eligible)
    assert {each.dtype for each in mixed.parameters()} == {dtype}
    assert type(mixed[0][2]) is BinaryConv2d


def test_parameters_of_inference_mode_and_frozen_ones():
    with torch.inference_mode():
        model = plain().requires_grad_(False)
    mixed = convert(model, trace(model, SHAPE).eligible)
    assert not any(each.requires_grad for each in mixed.parameters())
    copy.deepcopy(mixed)(image())
