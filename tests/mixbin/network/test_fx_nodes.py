"""What torch.fx leaves open about a node, answered or refused."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn

from b2nn_tvm.mixbin.network.fx_nodes import input_of, module_of, target_name


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x))


GRAPH = fx.symbolic_trace(Net())
X, CONV, RELU, _ = GRAPH.graph.nodes


def test_a_call_of_a_module_has_its_name_and_its_module() -> None:
    assert target_name(CONV) == "conv"
    assert module_of(CONV, GRAPH) is GRAPH.conv
    assert module_of(RELU, GRAPH) is None


def test_the_first_input_is_the_node_before() -> None:
    assert input_of(CONV) is X and input_of(RELU) is CONV


def test_a_function_has_no_name_of_a_module() -> None:
    with pytest.raises(TypeError, match="relu calls the function"):
        target_name(RELU)


def test_an_argument_that_is_no_node_is_refused() -> None:
    def flat(x: torch.Tensor) -> torch.Tensor:
        return torch.flatten(x, 1)

    (_, call, _) = fx.symbolic_trace(flat).graph.nodes
    with pytest.raises(TypeError, match="argument 1 of flatten, but it is 1"):
        input_of(call, index=1)
