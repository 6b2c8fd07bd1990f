"""Two stages of the pipeline, from ONNX files to the canonical form in NCHW and NHWC: recognised, and with the numbers
of onnxruntime.
"""

import numpy as np
import pytest

from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.passes.canonicalize.classify_convs import classify_convs
from b2nn_tvm.passes.pipeline import canonicalize, convert_layout
from b2nn_tvm.relax_query import calls, op_name
from tests.support.networks.onnx_models import BINARY_CONV2D, model, onnxruntime_output, save
from tests.support.passes.compile_context import apply_stage
from tests.support.passes.relax_functions import random_input, random_signs, run

ALPHA = np.array([0.5, 2, 0.25], np.float32).reshape(3, 1, 1, 1)
CONSTANTS = {
    "w": random_signs((3, 4, 3, 3)),
    "w1": random_signs((3, 3, 3, 3), seed=1),
    "ws": random_signs((3, 4, 3, 3)) * ALPHA * np.array([1, -1, 1], np.float32).reshape(3, 1, 1, 1),
    "wf": np.random.default_rng(2).integers(-4, 5, (4, 4, 3, 3)).astype(np.float32) / 4,
    "latent": np.random.default_rng(3).uniform(-1, 1, (3, 4, 3, 3)).astype(np.float32),
    "alpha": ALPHA.reshape(1, 3, 1, 1),
    "gamma": np.array([0.5, -2, 1], np.float32),
    "beta": np.array([0.5, 1, -1], np.float32),
    "mean": np.array([1, -2, 0.5], np.float32),
    "variance": np.array([1, 4, 0.25], np.float32),
    "slope": np.array([0.5, 0.25, 0, 2], np.float32).reshape(4, 1, 1),
    "t4": np.array([0.25, -0.5, 0, 1], np.float32).reshape(4, 1, 1),
    "zero": np.float32(0),
    "one": np.float32(1),
    "minus_one": np.float32(-1),
    "two": np.float32(2),
    "half": np.float32(0.5),
    "pads": np.array([0, 0, 1, 2, 0, 0, 0, 1]),
    "axes": np.array([1, 2, 3]),
    "packed": np.packbits(random_signs((3, 4, 3, 3)).transpose(0, 2, 3, 1) > 0, axis=-1, bitorder="little"),
    "scale": ALPHA.reshape(3),
    "t": np.array([0.25, -0.5, 0, 1], np.float32),
    "nothing": np.zeros(4, np.float32),
}

SIGN = "c = GreaterOrEqual (input, zero) s = Where (c, one, minus_one)"
FUNCTION = (
    "<kernel_shape = [3, 3], strides = [2, 1], dilations = [1, 1], pads = [1, 0, 2, 1], pad_value = {value}, channels"
    " = 4>"
)

BINARY = {
    "plain": f"{SIGN} output = Conv <pads = [1, 1, 1, 1]> (s, w)",
    "alpha and batch norm": (
        f"""{SIGN} y = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (s, w) z = Mul (y, alpha)
        output = BatchNormalization (z, gamma, beta, mean, variance)"""
    ),
    "batch norm folded into the weights": f"{SIGN} output = Conv <dilations = [2, 1]> (s, ws, beta)",
    "same padding": f'{SIGN} output = Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (s, w)',
    "padded with zeros": f"{SIGN} p = Pad (s, pads) output = Conv <pads = [1, 0, 1, 0]> (p, w)",
    "padded with minus one": f"{SIGN} p = Pad (s, pads, minus_one) output = Conv (p, w)",
    "padded before the sign": (
        """p = Pad (input, pads) c = GreaterOrEqual (p, zero) s = Where (c, one, minus_one)
        output = Conv (s, w)"""
    ),
    "two times cast minus one": (
        """c = Less (input, zero) n = Not (c) f = Cast <to = 1> (n) d = Mul (f, two)
        s = Sub (d, one) output = Conv (s, w)"""
    ),
    "threshold": (
        "c = GreaterOrEqual (input, t4) s = Where (c, one, minus_one) output = Conv <pads = [1, 1, 1, 1]> (s, w)"
    ),
    "greater": "c = Greater (input, t4) s = Where (c, one, minus_one) output = Conv <pads = [1, 1, 1, 1]> (s, w)",
    "shift": "x = Add (input, t4) c = Greater (x, zero) s = Where (c, one, minus_one) output = Conv (s, w)",
    "scaled signs": (
        "c = Less (input, zero) m = Neg (half) s = Where (c, m, half) p = Pad (s, pads, half) output = Conv (p, w)"
    ),
    "reversed signs": "c = Less (input, zero) s = Where (c, one, minus_one) output = Conv <pads = [1, 1, 1, 1]> (s, w)",
    "straight-through estimator": f"{SIGN} d = Sub (s, input) e = Add (d, input) output = Conv (e, w)",
    "straight-through estimator of QKeras": (
        """g = Sign (input) a = Abs (g) d = Sub (one, a) s = Add (g, d) n = Neg (input) m = Mul (one, s)
        e = Add (n, m) y = Add (input, e) output = Conv (y, w)"""
    ),
    "transposed": (
        """x = Transpose <perm = [0, 2, 3, 1]> (input) c = GreaterOrEqual (x, zero) s = Where (c, one, minus_one)
        y = Transpose <perm = [0, 3, 1, 2]> (s) i = Identity (y) output = Conv (i, w)"""
    ),
    "max-pooling": f"{SIGN} m = MaxPool <kernel_shape = [2, 2]> (s) output = Conv (m, w)",
    "latent weights": (
        f"""{SIGN} a = Abs (latent) m = ReduceMean <keepdims = 1> (a, axes) k = GreaterOrEqual (latent, zero)
        b = Where (k, one, minus_one) v = Mul (b, m) output = Conv (s, v)"""
    ),
    "latent weights, straight through": (
        f"""{SIGN} k = GreaterOrEqual (latent, zero) b = Where (k, one, minus_one)
        d = Sub (b, latent) v = Add (d, latent) output = Conv (s, v)"""
    ),
    "bipolar quant": (
        """q = qonnx.custom_op.general.BipolarQuant (input, half)
        v = qonnx.custom_op.general.BipolarQuant (latent, half) output = Conv (q, v)"""
    ),
    "function, zeros": f"output = b2nn.BinaryConv2d {FUNCTION.format(value='0.0')} (input, packed, scale, nothing)",
    "function, ones": f"output = b2nn.BinaryConv2d {FUNCTION.format(value='1.0')} (input, packed, scale, t)",
    "function, minus ones": (
        f"output = b2nn.BinaryConv2d {FUNCTION.format(value='-1.0')} (input, packed, scale, nothing)"
    ),
    "behind a float convolution": (
        """f = Conv <pads = [1, 1, 1, 1]> (input, wf) x = Sub (f, t4) c = GreaterOrEqual (x, zero)
        s = Where (c, one, minus_one) p = Pad (s, pads, minus_one) y = Conv (p, w) z = Mul (y, alpha)
        output = Relu (z)"""
    ),
    "behind clip, leaky relu and where": (
        """f = Conv <pads = [1, 1, 1, 1]> (input, wf) k = Clip (f, minus_one)
        l = LeakyRelu (k) g = Greater (l, one) m = Where (g, l, k) q = PRelu (m, slope) x = Max (q, minus_one, zero)
        h = HardSigmoid (x) e = Sub (h, half) c = GreaterOrEqual (e, zero) s = Where (c, one, minus_one)
        y = Conv <pads = [1, 1, 1, 1]> (s, w) output = Add (y, alpha)"""
    ),
    "shared sign": (
        f"""{SIGN} a = Conv <pads = [1, 1, 1, 1]> (s, w) b = Conv (s, ws) n = BatchNormalization
        (a, gamma, beta, mean, variance) c1 = GreaterOrEqual (n, zero) s1 = Where (c1, one, minus_one) y = Conv (s1, w1)
        output = Add (y, b)"""
    ),
}
BIPOLAR_QUANT = """
<domain: "qonnx.custom_op.general", opset_import: ["" : 18]>
BipolarQuant (x, scale) => (y) {
    zero = Constant <value_float = 0.0> () c = GreaterOrEqual (x, zero) m = Neg (scale) y = Where (c, scale, m)
}
"""


def saved(folder, nodes):
    functions = (BINARY_CONV2D if "BinaryConv2d" in nodes else "") + (BIPOLAR_QUANT if "Bipolar" in nodes else "")
    used = {name: value for name, value in CONSTANTS.items() if f"{name})" in nodes or f"{name}," in nodes}
    return save(folder, model(nodes, used, functions=functions))


@pytest.mark.parametrize("spelling", BINARY)
def test_binary_convolutions_are_recognised_and_compute_what_onnxruntime_computes(spelling, tmp_path):
    path = saved(tmp_path, BINARY[spelling])
    imported = import_onnx(path)
    canonical = apply_stage(canonicalize, imported.module)
    nhwc = apply_stage(convert_layout, canonical)
    floats = 1 if spelling.startswith("behind") else 0
    for module in (canonical, nhwc):
        found = classify_convs(module, layers=imported.layers)
        assert [c.reason for c in found[floats:]] == [""] * (len(found) - floats)
        assert [c.name for c in found] == [layer.name for layer in imported.layers]
    x = random_input()
    x[0, 0, 0, 0] = -0.0
    expected = onnxruntime_output(path, x)
    for module in (canonical, nhwc):
        np.testing.assert_allclose(run(module, x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.sweep
@pytest.mark.parametrize("spelling", sorted(BINARY.keys() - {"transposed", "shared sign"}))
def test_in_nhwc_there_is_one_transpose_on_the_way_in_and_one_at_the_end(spelling, tmp_path):
    imported = import_onnx(saved(tmp_path, BINARY[spelling]))
    main = apply_stage(convert_layout, apply_stage(canonicalize, imported.module))["main"]
    names = [op_name(call) for _, call in calls(main)]
    assert names[-1] == "relax.permute_dims"
    assert names.index("relax.permute_dims") < names.index("relax.nn.conv2d")
    assert names.count("relax.permute_dims") == 2


def test_a_shared_sign_is_computed_once(tmp_path):
    imported = import_onnx(saved(tmp_path, BINARY["shared sign"]))
    main = apply_stage(convert_layout, apply_stage(canonicalize, imported.module))["main"]
    assert [op_name(call) for _, call in calls(main)].count("relax.sign") == 2


def test_a_batch_norm_behind_alpha_is_one_multiplication_and_one_addition(tmp_path):
    imported = import_onnx(saved(tmp_path, BINARY["alpha and batch norm"]))
    names = [op_name(call) for _, call in calls(apply_stage(canonicalize, imported.module)["main"])]
    assert names == ["relax.sign", "relax.nn.conv2d", "relax.multiply", "relax.add"]
