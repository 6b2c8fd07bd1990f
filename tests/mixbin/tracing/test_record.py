"""Forward passes as people write them: the graph computes what the module computes, for other batch sizes too."""

from __future__ import annotations

import collections
import dataclasses
import operator
import pickle

import numpy as np
import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.mixbin.network.capture import capture
from b2nn_tvm.mixbin.tracing.record import ForwardFailed, LostTensor, record

SHAPE = (3, 8, 8)


class Net(nn.Module):
    """A convolution, and a function of the module and its result."""

    def __init__(self, function):
        super().__init__()
        self.conv, self.norm, self.scale = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Parameter(torch.ones(6))
        self.register_buffer("ramp", torch.arange(8.0))
        self.table = torch.linspace(0, 1, 8)
        self.function = function

    def forward(self, x):
        return self.function(self, self.norm(self.conv(x)))


def net(function):
    torch.manual_seed(0)
    return Net(function).eval()


def images(batch):
    return torch.randn(batch, *SHAPE, generator=torch.Generator().manual_seed(batch))


def assert_same(graph, model, batches=(1, 3)):
    for batch in batches:
        torch.testing.assert_close(graph(images(batch)), model(images(batch)), rtol=0, atol=0)


def check_size(self, x):
    assert x.shape[2] == x.shape[3], "square images"
    if x.shape[1] != 6:
        raise ValueError("6 channels")
    torch._assert(x.ndim == 4, "images")
    return x * 2


def by_ndim(self, x):
    return x.unsqueeze(0) if x.dim() == 3 or isinstance(x, (list, tuple)) else x + 1


def unpack_shape(self, x):
    b, c, h, w = x.shape
    return x.view(b, c, h * w).mean(2)


def as_int(self, x):
    return x.reshape(int(x.shape[0]) * 2, -1, int(x.shape[2]))


def twice_the_batch(self, x):
    pairs = torch.cat([x, x])
    return pairs.view(2, x.size(0), -1)[1]


def pool_to_one(self, x):
    return F.avg_pool2d(x, kernel_size=x.shape[2:]).flatten(1)


def chunks(self, x):
    a, b = x.chunk(2, dim=1)
    c, d, e = torch.split(x, 2, 1)
    return torch.cat([a * b, c + d - e], 1)


def channel_loop(self, x):
    return sum(x[:, channel] * channel for channel in range(x.shape[1]))


def item_set(self, x):
    x = x.clone()
    x[:, 1] = 0
    x[:, 2:4] *= 2
    return x


def added_in_place(self, x):
    y = x.clone()
    y.add_(1)
    z = F.relu(y, inplace=True)
    return z + y


def dropout_beside_its_input(self, x):
    return F.dropout(x, 0.5, self.training) + x.contiguous() + x.to(x.dtype)


def operators(self, x):
    return (1 - x) / (2 + x.abs()) ** 2 @ x.mT + (-x) * 3 + (x > 0)


def tensors_of_its_own(self, x):
    ramp = torch.arange(x.shape[3], device=x.device, dtype=x.dtype)
    return x * ramp + self.ramp * self.scale.view(-1, 1, 1) + self.table + x.new_ones(1) + float(self.ramp.sum())


def zeros_for_the_batch(self, x):
    return torch.zeros(x.shape[0], 2, device=x.device) + x.mean((1, 2, 3)).unsqueeze(1)


def several(self, x):
    values, places = x.flatten(2).max(dim=2)
    return {"values": values, "both": [x, (places, None)]}


Point = collections.namedtuple("Point", "left right")


def named(self, x):
    return Point(x, right=x + 1)


@dataclasses.dataclass
class Answer:
    logits: torch.Tensor
    aux: torch.Tensor | None = None


def in_a_dataclass(self, x):
    return Answer(x.mean((2, 3))).logits


def without_gradients(self, x):
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        return x - x.mean()


def attention(self, x):
    rows = x.flatten(2).transpose(1, 2)
    return F.scaled_dot_product_attention(rows, rows, rows)


def shuffled(self, x):
    b, c, h, w = x.size()
    return x.view(b, 2, c // 2, h, w).transpose(1, 2).contiguous().view(b, -1, h, w)


def in_checkpoints(self, x):
    part = nn.Sequential(nn.ReLU(), nn.Conv2d(6, 6, 1))
    part.load_state_dict({"1.weight": torch.ones(6, 6, 1, 1), "1.bias": torch.zeros(6)})
    once = checkpoint(part, x, use_reentrant=True)
    return checkpoint(F.relu, once, use_reentrant=False) + once


def by_numbers_of_numpy(self, x):
    return F.interpolate(x * np.float32(0.5), scale_factor=np.float64(2.0)).clamp(max=np.float64(1))


FORWARDS = (
    *(check_size, by_ndim, unpack_shape, as_int, twice_the_batch, pool_to_one, chunks, channel_loop, item_set),
    *(added_in_place, dropout_beside_its_input, operators, tensors_of_its_own, zeros_for_the_batch, several, named),
    *(in_a_dataclass, without_gradients, attention, shuffled, in_checkpoints, by_numbers_of_numpy),
)


@pytest.mark.parametrize("forward", FORWARDS, ids=operator.attrgetter("__name__"))
def test_the_graph_computes_what_the_module_computes(forward):
    model = net(forward)
    graph = capture(model, SHAPE)
    assert graph.conv is model.conv
    assert_same(graph, model)
    assert_same(pickle.loads(pickle.dumps(graph)), model)


class Optional(Net):
    """The arguments that only training, or nobody, gives."""

    def forward(self, *inputs, mask=None, scale=2.0, targets=None, **options):
        x = self.conv(inputs[0]) * scale
        x = x if mask is None else x * mask
        if options.get("features") or targets is not None:
            return x.sum()
        return x.mean((2, 3))


def test_optional_arguments_have_their_defaults():
    model = Optional(None).eval()
    assert_same(capture(model, SHAPE), model)


def test_hooks_are_operations_of_their_own():
    """So that they stay where a module is replaced, as by a binary convolution."""
    model = net(lambda self, x: x.mean((2, 3)))
    model.conv.register_forward_hook(lambda module, args, result: result.clamp(-0.5, 0.5))
    model.conv.register_forward_pre_hook(lambda module, args: args[0] * 2)
    model.norm.register_forward_hook(lambda module, args, kwargs, result: result + args[0], with_kwargs=True)
    model.norm.register_forward_pre_hook(lambda module, args, kwargs: ((args[0] - 1,), kwargs), with_kwargs=True)
    model.norm.register_forward_hook(lambda module, args, result: None)
    graph = capture(model, SHAPE)
    assert_same(graph, model)
    assert graph.conv.weight is model.conv.weight and not graph.conv._forward_hooks and model.conv._forward_hooks
    graph.conv = nn.Conv2d(3, 6, 3, padding=1).eval()
    model.conv.weight, model.conv.bias = graph.conv.weight, graph.conv.bias
    assert_same(graph, model)


class Cache(Net):
    """A module that keeps what it made for the last size of images."""

    grid = None

    def forward(self, x):
        if self.grid is None or self.grid.shape[-1] != x.shape[-1]:
            self.grid = torch.arange(x.shape[-1]) * self.conv(x)
        return self.grid


def test_the_module_keeps_no_tensor_without_values():
    model = Cache(None).eval()
    capture(model, SHAPE)
    assert model.grid is None
    assert not hasattr(model.conv, "_compiled_call_impl") or model.conv._compiled_call_impl is None


class NormAndActivation(nn.BatchNorm2d):
    """Batch norm and activation in one module."""

    def __init__(self, channels):
        super().__init__(channels)
        self.act = nn.ReLU()

    def forward(self, x):
        x = F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
        )
        return self.act(x)


def test_a_batch_norm_with_an_activation_is_two_nodes_and_learns_its_statistics():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), NormAndActivation(4))
    graph = capture(model, SHAPE)
    assert [node.target for node in graph.graph.nodes if node.op == "call_module"] == ["0", "1", "1.act"]
    assert set(graph.state_dict()) == set(model.state_dict())
    before = model[1].running_mean.clone()
    graph.train()(images(4))
    assert not torch.equal(model[1].running_mean, before)
    assert_same(graph.eval(), model.eval())


def test_leaves_run_with_their_hooks():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()).eval()
    model[0].register_forward_hook(lambda module, inputs, output: output + 1)
    model.register_forward_hook(lambda module, inputs, output: output[:, :2])
    graph = capture(model, SHAPE)
    assert_same(graph, model)


def test_what_cannot_be_followed_fails_with_the_module():
    hidden = []  # a tensor that is made where torch reports nothing

    def lost(self, x):
        with torch._C.DisableTorchFunction():
            hidden.append(x * 2)
        return hidden.pop() + 1

    model = nn.Sequential(nn.Conv2d(3, 3, 1), net(lost))
    with pytest.raises(ForwardFailed) as failure:
        record(model, (1, *SHAPE), dtype=torch.float32, device=torch.device("cpu"))
    assert failure.value.module == "1"
    assert isinstance(failure.value.__cause__, LostTensor)


class Boxes:
    def __init__(self, scores):
        self.scores = scores


def test_objects_that_no_graph_can_hold():
    with pytest.raises(UnsupportedError, match="Net returns an object of the class Boxes, .*; use tensors, numbers"):
        capture(net(lambda self, x: {"out": Boxes(x)}), SHAPE)


def test_unused_layers_are_left_out():
    graph = capture(net(lambda self, x: (F.conv2d(x, torch.ones(1, 6, 1, 1)), x)[1]), SHAPE)
    assert isinstance(graph, fx.GraphModule)
    assert not any(node.target is F.conv2d for node in graph.graph.nodes)
