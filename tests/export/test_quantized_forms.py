"""The ONNX file of a quantized network says what torch computes, in the operators that other tools write."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.export.quantized_forms import QuantizedForm
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules.quantized_layer import QuantizedLinear
from b2nn_tvm.mixbin.training.calibrate import calibrate
from b2nn_tvm.plan import Plan, Precision

SHAPE = (3, 10, 10)
PLAN = Plan({"0": "int8", "3": "int8", "5": "w1a2", "7": "w2a2", "11": "w2a2", "13": "int8"})


def images(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU()]
    layers += [nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, padding="same", bias=False), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 5)]
    mixed = convert(nn.Sequential(*layers).eval(), PLAN, input_shape=SHAPE)
    return calibrate(mixed, [(images(32), torch.zeros(32).long())])


@pytest.fixture(scope="module")
def model_file(network, tmp_path_factory):
    return export_onnx(network, tmp_path_factory.mktemp("quantized") / "net.onnx", input_shape=(4, *SHAPE))


def run(path, x: torch.Tensor, *, optimized: bool) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # else its int8 sums saturate
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (found,) = onnxruntime.InferenceSession(path, options).run(None, {"input": x.numpy()})
    return found


def test_onnxruntime_gives_the_same_answers(network, model_file):
    """The very same, unless its optimizer makes whole numbers of biases and of sums between layers."""
    for seed in range(1, 6):
        with torch.no_grad():
            expected = network(images(4, seed)).numpy()
        largest = np.abs(expected).max()
        assert np.abs(run(model_file, images(4, seed), optimized=False) - expected).max() <= 1e-6 * largest
        found = run(model_file, images(4, seed), optimized=True)
        assert np.abs(found - expected).max() <= 0.02 * largest  # a code of a layer of two bits
        assert np.array_equal(found.argmax(1), expected.argmax(1))


def test_layers_have_their_names_and_their_codes(network, model_file):
    graph = onnx.load(model_file).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    layers = {node.name: node for node in graph.node if node.op_type in ("Conv", "Gemm")}
    assert set(layers) == set(PLAN.layers)
    for name, node in layers.items():
        weights, image = makers[node.input[1]], makers[node.input[0]]
        codes, layer = constants[weights.input[0]], network.get_submodule(name)
        assert codes.dtype == np.int8 and np.array_equal(codes, layer.weight_codes.codes.numpy())
        assert np.array_equal(constants[weights.input[1]], layer.weight_codes.scale.detach().numpy())
        assert not constants[weights.input[2]].any()
        values = {Precision.INT8: 255, Precision.W1A2: 2, Precision.W2A2: 4}[PLAN.layers[name]]
        assert len(np.unique(codes)) <= values
        clip = makers[image.input[0]]
        assert (clip.op_type == "Clip") == (PLAN.layers[name] != Precision.INT8)
    own = Counter(
        node.input[2] for node in graph.node if node.op_type == "DequantizeLinear" and "weight" in node.input[0]
    )
    assert set(own.values()) == {1}


def test_what_is_not_calibrated_is_not_exported(tmp_path):
    net = nn.Sequential(QuantizedLinear(nn.Linear(4, 4), Precision.INT8))
    with pytest.raises(InputError, match="the input of layer 0 has no scale yet"):
        export_onnx(net, tmp_path / "net.onnx", input_shape=(1, 4, 1, 4))
    with pytest.raises(InputError, match="layer fc has no scale"):
        QuantizedForm(net[0], name="fc")
