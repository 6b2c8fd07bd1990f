"""8-bit layers become sums of integers: which kernels, and the numbers of the definition."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from tvm import relax, topi
from tvm.relax import op

from b2nn_tvm.kernel_attrs import PAD, PAD_VALUE, ROLE, Role
from b2nn_tvm.ops.int8_conv2d import int8_conv2d, pack_int8_weights
from b2nn_tvm.ops.vector_layout import CodeLayout, VectorLayout
from b2nn_tvm.passes.lower.lower_int8 import LowerInt8
from b2nn_tvm.passes.lower.store_codes import StoreCodes
from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest
from b2nn_tvm.reference.int8 import int8_conv2d as reference
from b2nn_tvm.reference.int8 import int8_dense, quantize
from b2nn_tvm.workload import ConvWorkload
from tests.support.passes.codes import codes, numbers, whole_weights
from tests.support.passes.compile_context import BYTES, context
from tests.support.passes.convolutions import conv, kernels
from tests.support.passes.relax_functions import assert_becomes, const, module, random_input, run

WORDS = replace(BYTES, codes=CodeLayout("uint8", 4))
LAYOUTS = {
    "vnni": VectorLayout(float_lanes=16, word="uint32", max_binary_lanes=16, codes=CodeLayout("uint8", 4, taps=4)),
    "pairs": replace(BYTES, codes=CodeLayout("int16", 2, taps=2)),
    "sdot": VectorLayout(float_lanes=4, word="uint8", max_binary_lanes=64, codes=CodeLayout("int8", 4)),
    "plain": VectorLayout(float_lanes=4, word="uint8", max_binary_lanes=64),
}


def lower(mod, layout=WORDS, layers=()):
    own = context(layout=layout, layers=layers)
    return LowerInt8(own)(StoreCodes(own)(mod)), own


# (input, weights HWIO, attributes, the name of the kernel, whether the input is padded)
CONVOLUTIONS = {
    "plain": ((1, 9, 7, 8), (3, 3, 8, 5), {}, "int8_conv2d", False),
    "padded on one side": ((1, 9, 7, 8), (3, 2, 8, 5), {"padding": (2, 0, 1, 0)}, "int8_conv2d", True),
    "strides and dilation": (
        (2, 9, 7, 6),
        (3, 2, 6, 33),
        {"strides": (2, 3), "dilation": (1, 2), "padding": 1},
        "int8_conv2d",
        True,
    ),
    "an image": ((1, 9, 9, 3), (7, 7, 3, 4), {"padding": 3, "strides": 2}, "int8_conv2d", True),
    "a column more for the last word": ((1, 9, 7, 3), (3, 3, 3, 5), {}, "int8_conv2d", False),
    "groups": ((1, 9, 7, 6), (3, 3, 3, 8), {"groups": 2, "padding": 1}, "int8_conv2d", True),
    "groups that are merged": ((1, 5, 7, 24), (1, 3, 3, 32), {"groups": 8}, "int8_conv2d", False),
    "depthwise": ((1, 9, 7, 6), (3, 3, 1, 6), {"groups": 6, "padding": 1}, "int8_depthwise_conv2d", True),
    "depthwise of one row": ((1, 3, 7, 20), (3, 3, 1, 20), {"groups": 20}, "int8_depthwise_conv2d", False),
}


CHOICES = list(itertools.product(CONVOLUTIONS, LAYOUTS, (0, 77)))
# One choice for each convolution; together they have all layouts, and both zero points.
FEW = [(case, list(LAYOUTS)[n % len(LAYOUTS)], (77, 0)[n % 2]) for n, case in enumerate(CONVOLUTIONS)]


@pytest.mark.parametrize(
    ("case", "layout", "zero"),
    [choice if choice in FEW else pytest.param(*choice, marks=pytest.mark.sweep) for choice in CHOICES],
)
def test_convolutions_are_those_of_the_definition(case, layout, zero):
    shape, weight_shape, attrs, name, padded = CONVOLUTIONS[case]
    depthwise = attrs.get("groups") == shape[3]
    words = shape[3] % (LAYOUTS[layout].depthwise_channels if depthwise else LAYOUTS[layout].codes.run)
    expected = (["pad_input"] if padded or words else []) + [name]
    assert lowered_convolution(shape, weight_shape, attrs, layout=LAYOUTS[layout], zero=zero) == expected


def test_joined_taps_need_no_further_channels():
    """Words of four codes hold two columns of two channels."""
    assert lowered_convolution((1, 5, 7, 2), (3, 4, 2, 5), {}, layout=LAYOUTS["vnni"], zero=77) == ["int8_conv2d"]


def test_a_convolution_by_winograd_is_that_of_the_definition():
    layout = replace(LAYOUTS["pairs"], codes=CodeLayout("int16", 2, taps=2, winograd=15))
    found = lowered_convolution((1, 6, 5, 32), (3, 3, 32, 64), {"padding": (1, 0, 1, 1)}, layout=layout, zero=77)
    assert found == ["pad_input", "int8_winograd_conv2d"]
    attrs = {"padding": (1, 0, 1, 1), "strides": (2, 2)}
    found = lowered_convolution((1, 16, 15, 32), (3, 3, 32, 64), attrs, layout=layout, zero=77)
    assert found == ["pad_input", "int8_winograd_conv2d"]


def lowered_convolution(shape, weight_shape, attrs, *, layout, zero):
    """The kernels of a lowered convolution, whose numbers are those of the definition."""
    weight, whole, scales = whole_weights(*weight_shape)
    after, _ = lower(module(lambda x: conv(numbers(codes(x, zero=zero), zero=zero), weight, **attrs), shape), layout)
    x = random_input(shape) * 20
    square = lambda value: value if isinstance(value, tuple) else (value, value)
    padding = attrs.get("padding", 0)
    sums = reference(
        quantize(x, 0.25, zero).astype(np.uint8).transpose(0, 3, 1, 2),
        whole.transpose(3, 2, 0, 1).astype(np.int8),
        zero=zero,
        stride=square(attrs.get("strides", 1)),
        padding=padding if isinstance(padding, tuple) else (padding,) * 4,
        dilation=square(attrs.get("dilation", 1)),
        groups=attrs.get("groups", 1),
    )
    expected = sums.transpose(0, 2, 3, 1).astype(np.float32) * (np.float32(0.25) * scales)
    np.testing.assert_allclose(run(after, x), expected, rtol=2e-7)
    return [kernel for kernel in kernels(after) if not kernel.startswith("relax.")]


@pytest.mark.parametrize(("shape", "layout"), [((3, 21), "vnni"), ((2, 3, 8), "sdot")])
def test_dense_layers(shape, layout):
    weight, whole, scales = whole_weights(shape[-1], 10)
    after, _ = lower(module(lambda x: op.matmul(numbers(codes(x)), const(weight)), shape), LAYOUTS[layout])
    assert "int8_dense" in kernels(after) and "relax.matmul" not in kernels(after)
    x = random_input(shape)
    rows = quantize(x, 0.25, 3).astype(np.uint8).reshape(-1, shape[-1])
    expected = int8_dense(rows, whole.T.astype(np.int8), zero=3) * (np.float32(0.25) * scales)
    np.testing.assert_allclose(run(after, x), expected.reshape(*shape[:-1], 10), rtol=2e-7)


def test_a_padded_convolution_word_for_word():
    weight, whole, scales = whole_weights(3, 3, 4, 8)
    workload = ConvWorkload(1, 4, 6, 5, 8, (3, 3), padding=(1, 1, 1, 1))
    packed = pack_int8_weights(whole.transpose(3, 2, 0, 1), lanes=8, run=4, dtype="int8")

    def expected(x):
        builder = relax.BlockBuilder.current()
        stored = builder.emit(op.astype(codes(x), "uint8"))
        pad = lambda t: topi.nn.pad(t, [0, 1, 1, 0], [0, 1, 1, 0], 3.0, name="pad_input")
        attrs = {PAD: (1, 1, 1, 1), PAD_VALUE: 3, ROLE: str(Role.PAD_INPUT), "op_pattern": 8}
        padded = builder.emit(builder.call_te(pad, stored, primfunc_name_hint="pad_input", primfunc_attrs=attrs))
        attrs = {"op_pattern": 4, ROLE: str(Role.CONVOLUTION)}
        sums = builder.call_te(
            lambda x, w: int8_conv2d(x, w, workload=workload),
            padded,
            relax.const(packed),
            primfunc_name_hint="int8_conv2d",
            primfunc_attrs=attrs,
        )
        of_zero = 3 * whole.reshape(-1, 8).sum(axis=0).astype(np.int32).reshape(1, 1, 1, 8)
        less = op.subtract(builder.emit(sums), relax.const(of_zero))
        return op.multiply(op.astype(less, "float32"), const((0.25 * scales.astype(np.float64)).reshape(1, 1, 1, 8)))

    exact = (whole * scales).astype(np.float32)
    np.testing.assert_array_equal(exact, weight)
    assert_becomes(
        lambda mod: lower(mod)[0], lambda x: conv(numbers(codes(x)), weight, padding=1), expected, (1, 6, 5, 4)
    )


def test_the_index_of_kernels_knows_the_layer_and_its_precision():
    weight, whole, _ = whole_weights(3, 3, 4, 8)
    filters = weight.transpose(3, 2, 0, 1)
    layer = NamedLayer("conv1", "conv2d", weight_digest(np.ascontiguousarray(filters)))
    _, own = lower(module(lambda x: conv(numbers(codes(x)), weight), (1, 6, 5, 4)), layers=[layer])
    packed = pack_int8_weights(whole.transpose(3, 2, 0, 1), lanes=8, run=4, dtype="int8")
    found = own.kernels.find([packed])
    assert (found.name, found.precision, found.weight_bytes) == ("conv1", "int8", packed.nbytes)
    assert own.log.in_order([])[-1].reason == "is int8: 8-bit codes by 8-bit weights"


def test_what_stays_float_says_why():
    weight = np.random.default_rng(0).standard_normal((3, 3, 4, 8)).astype(np.float32)
    before = module(lambda x: conv(numbers(codes(x)), weight), (1, 6, 5, 4))
    after, own = lower(before)
    assert kernels(after) == kernels(before)
    (entry,) = own.log.in_order([])
    assert not entry.applied and "its weights are no whole numbers of 8 bits" in entry.reason


def test_nothing_is_said_of_float_networks():
    before = module(lambda x: conv(op.nn.relu(x), whole_weights(3, 3, 4, 8)[0]), (1, 6, 5, 4))
    after, own = lower(before)
    assert kernels(after) == kernels(before) and own.log.in_order([]) == ()
