"""Heads of another number of classes, told from other differences."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm.loop.checkpoint.classifier_head import OtherHead, is_of_a_head, other_head, own_head


def network(classes: int, width: int = 4, aux: int | None = None) -> dict[str, torch.Tensor]:
    body = {"conv.weight": torch.zeros(width, 3, 3, 3), "bn.num_batches_tracked": torch.tensor(0)}
    more = {} if aux is None else {"aux.weight": torch.zeros(aux, 6), "aux.bias": torch.zeros(aux)}
    return {**body, **more, "fc.weight": torch.zeros(classes, width), "fc.bias": torch.zeros(classes)}


def test_another_number_of_classes() -> None:
    assert other_head(network(10), network(20), 10) == OtherHead(("fc.weight", "fc.bias"), 20)
    both = other_head(network(10, aux=10), network(20, aux=20), 10)
    assert both == OtherHead(("aux.weight", "aux.bias", "fc.weight", "fc.bias"), 20)


@pytest.mark.parametrize("there", [network(10), network(10, width=8), network(20, width=8)])
def test_other_differences(there: dict[str, torch.Tensor]) -> None:
    assert other_head(network(10), there, 10) is None


def test_layers_that_have_not_as_many_outputs_as_classes_are_no_head() -> None:
    assert other_head(network(10), network(20), 5) is None


def test_the_networks_own_head_is_its_last_layer_of_that_size() -> None:
    assert own_head(network(4), 4) == ("fc.weight", "fc.bias")
    assert own_head({"conv.weight": torch.zeros(10, 4, 1, 1)}, 10) == ("conv.weight",)
    assert own_head(network(4), 5) == ()


def test_names_of_heads() -> None:
    assert is_of_a_head("fc.0.weight", ()) and is_of_a_head("top.weight", ("top.bias",))
    assert not is_of_a_head("layer1.fc.weight", ()) and not is_of_a_head("conv.weight", ("fc.weight",))
