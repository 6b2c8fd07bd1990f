"""The words for what was fused: from the names of TVM's functions and from what their operands are."""

from __future__ import annotations

import numpy as np

from b2nn_tvm.ops.anchor import OPERATIONS
from b2nn_tvm.relax_query import calls
from tests.passes.test_pipeline import kernels
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network, binary, binary_constants


def operations(folder, network: Network) -> list[tuple[str, ...]]:
    """Of the functions that "main" calls, in order."""
    found = kernels(save(folder, network.build())).module
    functions = [found[call.args[0]] for _, call in calls(found["main"])]
    return [tuple(map(str, function.attrs[OPERATIONS])) for function in functions]


def test_every_function_says_what_it_does(tmp_path):
    network = Network(
        "a = Conv <pads = [1, 1, 1, 1]> (input, w, h)"
        + binary("a", "b", "u", 32)
        + "c = BatchNormalization (b, g, h, h, v) d = Add (c, a) e = Relu (d) f = MaxPool <kernel_shape = [2, 2]> (e) "
        + "m = GlobalAveragePool (f) n = Flatten (m) output = Gemm (n, x, y)",
        {
            "w": (32, 4, 3, 3),
            **binary_constants("u", 32, 32),
            "g": (32,),
            "h": (32,),
            "v": np.ones(32, np.float32),
            "x": (32, 5),
            "y": (5,),
        },
        outputs="float[N,C] output",
    )
    assert operations(tmp_path, network) == [
        ("layout change", "pad"),
        ("conv2d", "shift", "pack"),
        ("binary conv2d", "scale", "shift", "residual add", "relu"),
        ("max_pool2d",),
        ("mean",),
        ("reshape",),
        ("dense", "shift"),
    ]


def test_scale_and_shift_are_told_from_products_and_sums_of_tensors(tmp_path):
    network = Network(
        "a = Mul (input, two) b = Sigmoid (a) c = Mul (a, b) d = Sub (c, k) e = Add (d, a) output = Sub (e, b)",
        {"two": np.float32(2), "k": (4, 1, 1)},
    )
    (fused,) = operations(tmp_path, network)
    assert [word for word in fused if word != "sigmoid"] == ["scale", "multiply", "shift", "residual add", "subtract"]
