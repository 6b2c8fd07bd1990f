import numpy as np
import pytest
from tvm import relax, topi
from tvm.relax import op

from b2nn_tvm.kernel_attrs import PAD, ROLE, Role
from b2nn_tvm.ops.conv2d import conv2d, pack_weights
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.lower.lower_conv2d import LowerConv2d
from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest
from b2nn_tvm.relax_query import calls, op_name
from b2nn_tvm.workload import ConvWorkload
from tests.support.passes.compile_context import context
from tests.support.passes.convolutions import conv, kernels, weights
from tests.support.passes.relax_functions import (
    assert_becomes,
    assert_stays,
    const,
    module,
    random_input,
    random_signs,
    run,
)

AVX512 = VectorLayout(float_lanes=16, word="uint32", max_binary_lanes=16)
AVX2 = VectorLayout(float_lanes=8, word="uint8", max_binary_lanes=32)
SHAPE = (1, 9, 7, 6)  # NHWC


def lower(mod, layout=AVX512, layers=()):
    return LowerConv2d(context(layout=layout, layers=layers))(mod)


def padded(name):
    return ["pad_input", name]


# (input, weights HWIO, attributes, kernels)
CONVOLUTIONS = {
    "plain": (SHAPE, (3, 3, 6, 5), {}, ["conv2d"]),
    "padded on one side": (SHAPE, (3, 2, 6, 5), {"padding": (2, 0, 1, 0)}, padded("conv2d")),
    "strides and dilation": (
        SHAPE,
        (3, 2, 6, 33),
        {"strides": (2, 3), "dilation": (1, 2), "padding": 1},
        padded("conv2d"),
    ),
    "one by one": (SHAPE, (1, 1, 6, 40), {}, ["conv2d"]),
    "a batch": ((3, 9, 7, 6), (3, 3, 6, 16), {"padding": 1}, padded("conv2d")),
    "larger than the image": ((1, 2, 3, 6), (7, 5, 6, 4), {"padding": 3}, padded("conv2d")),
    "groups": (SHAPE, (3, 3, 3, 8), {"groups": 2, "padding": 1}, padded("conv2d")),
    "groups of one output": (SHAPE, (1, 1, 2, 3), {"groups": 3}, ["conv2d"]),
    "depthwise": (SHAPE, (3, 3, 1, 6), {"groups": 6, "strides": 2, "padding": 1}, padded("depthwise_conv2d")),
    "depthwise with a multiplier": (SHAPE, (3, 3, 1, 12), {"groups": 6}, ["conv2d"]),
    "one channel": ((1, 9, 7, 1), (3, 3, 1, 1), {}, ["conv2d"]),
    "winograd": ((1, 11, 10, 16), (3, 3, 16, 20), {"padding": 1}, padded("winograd_conv2d")),
    "winograd of an odd image": ((1, 9, 7, 17), (3, 3, 17, 16), {"padding": (1, 0, 0, 1)}, padded("winograd_conv2d")),
    "winograd of whole tiles": ((2, 6, 8, 16), (3, 3, 16, 16), {}, ["winograd_conv2d"]),
    "too few channels for winograd": (SHAPE, (3, 3, 6, 64), {"padding": 1}, padded("conv2d")),
    "too large a stride for winograd": ((1, 9, 7, 16), (3, 3, 16, 16), {"strides": 2}, ["conv2d"]),
    "too many weights for winograd": ((1, 5, 5, 256), (3, 3, 256, 128), {}, ["conv2d"]),
}


@pytest.mark.parametrize("layout", [AVX512, AVX2], ids=["avx512", "avx2"])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_which_kernels_a_convolution_becomes_and_what_they_compute(case, layout):
    shape, weight_shape, attrs, names = CONVOLUTIONS[case]
    weight = weights(*weight_shape)
    before = module(lambda x: conv(x, weight, **attrs), shape)
    after = lower(before, layout)
    assert kernels(after) == names
    x = random_input(shape)
    if "winograd" in names[-1]:  # halves of sums: exact as well, for such inputs
        np.testing.assert_allclose(run(after, x), run(before, x), rtol=1e-6, atol=1e-6)
    else:
        np.testing.assert_array_equal(run(after, x), run(before, x))


@pytest.mark.parametrize("layout", [AVX512, AVX2], ids=["avx512", "avx2"])
@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(1, 20, 10), (3, 5, 33), (2, 1, 1)])
def test_a_dense_layer(layout, rows, inputs, outputs):
    weight = weights(inputs, outputs)
    before = module(lambda x: op.matmul(x, const(weight)), (rows, inputs))
    after = lower(before, layout)
    assert kernels(after) == ["dense"]
    x = random_input((rows, inputs))
    np.testing.assert_array_equal(run(after, x), run(before, x))


def test_a_binary_convolution_that_nothing_else_lowered_is_a_float_one():
    """Weights of -1 and +1 on floats."""
    weight = random_signs((3, 3, 6, 5))
    before = module(lambda x: conv(x, weight, padding=1), SHAPE)
    assert kernels(lower(before)) == ["pad_input", "conv2d"]


def test_a_padded_convolution_is_padding_and_a_function_of_packed_weights():
    weight = weights(3, 3, 6, 8)
    workload = ConvWorkload(1, 6, 9, 7, 8, (3, 3), padding=(1, 1, 1, 1))
    packed = pack_weights(weight.transpose(3, 2, 0, 1), lanes=8)

    def expected(x):
        builder = relax.BlockBuilder.current()
        pad = lambda t: topi.nn.pad(t, [0, 1, 1, 0], [0, 1, 1, 0], name="pad_input")
        attrs = {"primfunc_name_hint": "pad_input", "primfunc_attrs": {PAD: (1, 1, 1, 1), ROLE: str(Role.PAD_INPUT)}}
        padded = builder.emit(builder.call_te(pad, x, **attrs))
        attrs = {"primfunc_name_hint": "conv2d", "primfunc_attrs": {"op_pattern": 4, ROLE: str(Role.CONVOLUTION)}}
        return builder.call_te(lambda x, w: conv2d(x, w, workload=workload), padded, const(packed), **attrs)

    assert_becomes(lambda mod: lower(mod, AVX2), lambda x: conv(x, weight, padding=1), expected, SHAPE)


STAYS = {
    "channels first": (lambda x: op.nn.conv2d(x, const(weights(5, 9, 3, 3))), SHAPE),
    "half precision": (
        lambda x: op.nn.conv2d(
            op.astype(x, "float16"), const(weights(3, 3, 6, 5), "float16"), data_layout="NHWC", kernel_layout="HWIO"
        ),
        SHAPE,
    ),
    "a batch of matrices": (lambda x: op.matmul(x, const(weights(6, 5))), SHAPE),
    "a vector": (lambda x: op.matmul(x, const(weights(6, 5))), (6,)),
    "a batch of constants": (lambda x: op.matmul(x, const(weights(2, 6, 5))), (4, 6)),
    "a transposed convolution": (
        lambda x: op.nn.conv2d_transpose(x, const(weights(9, 5, 3, 3)), data_layout="NCHW", kernel_layout="IOHW"),
        SHAPE,
    ),
    "a convolution along one axis": (lambda x: op.nn.conv1d(x, const(weights(5, 7, 3))), (1, 7, 6)),
}


@pytest.mark.parametrize("why", STAYS)
def test_is_left_to_relax(why):
    body, shape = STAYS[why]
    assert_stays(lower, body, shape)


def test_computed_weights_are_left_to_relax():
    layouts = {"data_layout": "NHWC", "kernel_layout": "HWIO"}
    assert_stays(lower, lambda x, w: op.nn.conv2d(x, w, **layouts), SHAPE, (3, 3, 6, 5))
    assert_stays(lower, op.matmul, (4, 6), (6, 5))


def test_the_index_knows_each_layer_by_its_packed_weights():
    """Direct, Winograd, depthwise and dense; two layers of equal weights in graph order."""
    direct, winograd = weights(3, 3, 16, 4), weights(3, 3, 4, 16, seed=1)
    fast = weights(3, 3, 16, 16, seed=2)
    depthwise, dense = weights(3, 3, 1, 16, seed=3), weights(16 * 16, 7, seed=4)

    def body(x):
        y = conv(conv(x, direct, padding=1), winograd, padding=1)
        y = conv(conv(y, fast, padding=1), fast, padding=1)
        y = conv(y, depthwise, padding=1, groups=16)
        return op.matmul(op.reshape(y, (1, 16 * 16)), const(dense))

    oihw = lambda weight: weight.transpose(3, 2, 0, 1)
    imported = {
        "direct": oihw(direct),
        "narrow": oihw(winograd),
        "fast 1": oihw(fast),
        "fast 2": oihw(fast),
        "depthwise": oihw(depthwise),
        "dense": dense.T,
    }
    own = context(layout=AVX512, layers=[NamedLayer(name, "conv2d", weight_digest(w)) for name, w in imported.items()])
    after = LowerConv2d(own)(module(body, (1, 4, 4, 16)))
    found = [
        own.kernels.find([arg.value.numpy() for arg in call.args[1].fields if hasattr(arg, "value")])
        for _, call in calls(after["main"])
        if op_name(call) == "relax.call_tir" and "pad_input" not in call.args[0].name_hint
    ]
    assert [layer.name for layer in found] == list(imported)
    assert [layer.op for layer in found] == ["conv2d"] * 5 + ["dense"]
    assert {layer.precision for layer in found} == {"float"}
    assert found[4].workload == "conv2d_n1_c16_h4_w4_o16_k3x3_s1x1_p1x1x1x1_d1x1_g16"
    assert found[5].workload == "dense_n1_k256_o7"
