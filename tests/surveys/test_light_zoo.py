"""The light zoo with weights in the file: as many as the networks have, and none computed."""

from __future__ import annotations

import math

import onnx
import pytest

from tests.support.surveys.light_zoo import light_names, with_random_weights


def test_the_zoo_has_its_networks() -> None:
    assert set(light_names()) >= {"bvlc_alexnet", "densenet121", "resnet50", "shufflenet", "squeezenet", "vgg19"}


@pytest.mark.parametrize(("name", "millions"), [("squeezenet", 1.2), ("shufflenet", 1.4)])
def test_the_weights_are_in_the_file(name: str, millions: float) -> None:
    model = with_random_weights(name)
    onnx.checker.check_model(model, full_check=True)
    assert not any(node.op_type == "ConstantOfShape" for node in model.graph.node)
    assert sum(math.prod(tensor.dims) for tensor in model.graph.initializer) / 1e6 == pytest.approx(millions, rel=0.05)
