"""What torch reports, as nodes of torch.fx."""

from __future__ import annotations

import operator
import pickle

import pytest
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from b2nn_tvm.mixbin.tracing.operations import operation, set_item


class Reported(TorchFunctionMode):
    """The operations of the calls in its context."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.found.append(operation(function, args))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("call", "op", "target"),
    [
        (lambda x: x + 1, "call_method", "add"),
        (lambda x: 1 - x, "call_method", "__rsub__"),
        (lambda x: 2 / x, "call_method", "__rdiv__"),
        (lambda x: x**2, "call_method", "pow"),
        (lambda x: x[0], "call_function", operator.getitem),
        (lambda x: x.mT, "call_function", getattr),
        (lambda x: x.__setitem__(0, 1.0), "call_function", set_item),
        (lambda x: x.relu(), "call_method", "relu"),
        (torch.relu, "call_function", torch.relu),
        (F.relu, "call_function", F.relu),
        (lambda x: F.max_pool2d(x, 2), "call_function", F._max_pool2d),
        (lambda x: F.conv2d(x, x), "call_function", torch.conv2d),
    ],
)
def test_operations(call, op, target):
    image = torch.ones(1, 1, 4, 4)
    with Reported() as reported:
        call(image)
    found_op, found, args = reported.found[0]
    assert (found_op, found) == (op, target)
    assert isinstance(args[0], torch.Tensor)
    assert pickle.loads(pickle.dumps(found)) == found


def test_set_item_gives_the_tensor():
    tensor = torch.zeros(3)
    assert set_item(tensor, 1, 5.0) is tensor
    assert tensor.tolist() == [0, 5, 0]
