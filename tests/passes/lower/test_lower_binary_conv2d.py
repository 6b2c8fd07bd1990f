import itertools

import numpy as np
import pytest
from tvm import relax, topi
from tvm.relax import op

from b2nn_tvm import reference
from b2nn_tvm.kernel_attrs import ROLE, Role
from b2nn_tvm.ops import bit_layout
from b2nn_tvm.ops.bconv2d import bconv2d
from b2nn_tvm.ops.pack_signs import pack_signs
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.lower.lower_binary_conv2d import LowerBinaryConv2d
from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest
from b2nn_tvm.relax_query import calls, op_name
from b2nn_tvm.workload import ConvWorkload
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import (
    assert_becomes,
    assert_stays,
    const,
    module,
    random_input,
    random_signs,
    run,
)

WORDS = VectorLayout(float_lanes=16, word="uint32", max_binary_lanes=16)
BYTES = VectorLayout(float_lanes=8, word="uint8", max_binary_lanes=32)
LAYOUTS = pytest.mark.parametrize("layout", [WORDS, BYTES], ids=["words", "bytes"])
SHAPE = (1, 6, 5, 4)  # NHWC


def lower(mod, layout=WORDS, layers=()):
    return LowerBinaryConv2d(context(layout=layout, layers=layers))(mod)


def conv(x, weight, **kwargs):
    return op.nn.conv2d(x, const(weight), data_layout="NHWC", kernel_layout="HWIO", **kwargs)


def pad(x, value, widths=(0, 0, 1, 2, 0, 1, 0, 0)):
    return op.nn.pad(x, list(widths), "constant", value)


def kernels(mod):
    """The names of the functions that "main" calls, in order, without their numbers."""
    found = [call for _, call in calls(mod["main"])]
    assert {op_name(call) for call in found} <= {"relax.call_tir", "relax.add"}
    return [call.args[0].name_hint.rstrip("0123456789_") for call in found if op_name(call) == "relax.call_tir"]


def expected(x, weight, threshold=0.0, **kwargs):
    """The reference of x NHWC and weight HWIO."""
    signs = reference.sign(x.transpose(0, 3, 1, 2), np.reshape(threshold, (-1, 1, 1)))
    return reference.binary_conv2d(signs, weight.transpose(3, 2, 0, 1), **kwargs).transpose(0, 2, 3, 1)


@LAYOUTS
def test_a_binary_convolution_becomes_packing_and_popcounts(layout):
    weight = random_signs((3, 3, 4, 5))
    after = lower(module(lambda x: conv(op.sign(x), weight, padding=1), SHAPE), layout)
    assert kernels(after) == ["pack_signs", "bconv2d"]
    (_, pack), (_, conv2d) = calls(after["main"])
    words = 4 // 8 + 1 if layout is BYTES else 1
    assert (tuple(map(int, pack.ty.shape)), str(pack.ty.dtype)) == ((1, 8, 7, words), layout.word)
    assert (tuple(map(int, conv2d.ty.shape)), str(conv2d.ty.dtype)) == ((1, 6, 5, 5), "float32")
    x = random_input(SHAPE)
    np.testing.assert_array_equal(run(after, x), expected(x, weight, padding=(1, 1, 1, 1)))


def test_the_packing_takes_the_thresholds_and_the_popcounts_become_floats():
    """Without padding one constant, not a table, is taken from the popcounts."""
    weight, threshold = random_signs((3, 3, 4, 16)), random_input((1, 1, 1, 4), seed=1)
    workload = ConvWorkload(1, 4, 6, 5, 16, (3, 3))
    signs = weight.transpose(3, 2, 0, 1)
    packed = bit_layout.pack_weights(signs.astype(np.int8), word="uint32", lanes=16)
    constant = int(bit_layout.border(signs, workload, pad_value=0, lanes=16).table.flat[0])

    def lowered(x):
        builder = relax.BlockBuilder.current()
        pack = pack_signs(SHAPE, (0, 0, 0, 0), word="uint32", pad_value=0, stride=(1, 1))
        function, out = builder.add_func(pack, "pack_signs"), relax.TensorType((1, 6, 5, 1), "uint32")
        words = builder.emit(relax.call_tir(function, [x, const(threshold.reshape(-1))], out_ty=out))
        compute = lambda x, w: topi.cast(bconv2d(x, w, constant, workload=workload, table=None), "float32")
        attrs = {"primfunc_name_hint": "bconv2d", "primfunc_attrs": {"op_pattern": 4, ROLE: str(Role.CONVOLUTION)}}
        return builder.call_te(compute, words, relax.const(packed), **attrs)

    assert_becomes(lower, lambda x: conv(op.sign(op.subtract(x, const(threshold))), weight), lowered, SHAPE)


CASES = list(itertools.product((0, 1, -1), (1, 2), (1, 2), (3, 33)))


@LAYOUTS
@pytest.mark.parametrize(("pad_value", "stride", "dilation", "channels"), CASES[::2])
def test_the_numbers_are_those_of_the_reference(layout, pad_value, stride, dilation, channels):
    """Asymmetric padding in all its values, exact zeros, thresholds that the input meets exactly."""
    shape = (2, 6, 5, channels)
    weight = random_signs((3, 2, channels, 5), seed=channels)
    threshold = random_input((1, 1, 1, channels), seed=1)
    attrs = {"strides": stride, "dilation": dilation}

    def body(x):
        signs = op.sign(op.subtract(x, const(threshold)))
        return (
            conv(signs, weight, padding=(1, 0, 2, 1), **attrs)
            if pad_value == 0
            else conv(pad(signs, pad_value), weight, **attrs)
        )

    x = random_input(shape)
    assert (x == threshold).any()
    result = run(lower(module(body, shape), layout), x)
    reference_result = expected(
        x, weight, threshold, stride=(stride,) * 2, dilation=(dilation,) * 2, padding=(1, 0, 2, 1), pad_value=pad_value
    )
    np.testing.assert_array_equal(result, reference_result)


@LAYOUTS
def test_pixels_that_a_1x1_convolution_skips_are_not_packed(layout):
    weight = random_signs((1, 1, 4, 5))
    after = lower(module(lambda x: conv(op.sign(x), weight, strides=2), SHAPE), layout)
    (_, pack), _ = calls(after["main"])
    assert tuple(map(int, pack.ty.shape)) == (1, 3, 3, 1)
    x = random_input(SHAPE)
    np.testing.assert_array_equal(run(after, x), expected(x, weight, stride=(2, 2)))


def test_a_threshold_of_all_channels():
    weight = random_signs((1, 1, 4, 5))
    after = lower(module(lambda x: conv(op.sign(op.subtract(x, const(np.float32(0.25)))), weight), SHAPE))
    assert kernels(after) == ["pack_signs", "bconv2d"]
    x = random_input(SHAPE)
    np.testing.assert_array_equal(run(after, x), expected(x, weight, 0.25))


def test_signs_are_packed_once_for_all_their_readers():
    """Three convolutions of one input and one padding: packed once; -1 and 0 have the same bits, +1 has not."""
    one, three, other = random_signs((3, 3, 4, 5)), random_signs((3, 3, 4, 5), 1), random_signs((1, 1, 4, 5), 2)

    def body(x):
        signs = op.sign(x)
        same = (0, 0, 1, 1, 1, 1, 0, 0)
        a, b = conv(signs, one, padding=1), conv(pad(signs, -1, same), three)
        c, d = conv(pad(signs, 1, same), one), conv(signs, other)
        return op.add(op.add(a, b), op.add(c, d))

    after = lower(module(body, SHAPE))
    assert sorted(kernels(after)) == ["bconv2d"] * 4 + ["pack_signs"] * 3
    x = random_input(SHAPE)
    pads = (1, 1, 1, 1)
    result = (
        expected(x, one, padding=pads)
        + expected(x, three, padding=pads, pad_value=-1)
        + expected(x, one, padding=pads, pad_value=1)
        + expected(x, other)
    )
    np.testing.assert_array_equal(run(after, x), result)


def test_signs_with_different_thresholds_are_packed_apart():
    weight = random_signs((1, 1, 4, 5))

    def body(x):
        return op.add(conv(op.sign(x), weight), conv(op.sign(op.subtract(x, const(np.float32(0.5)))), weight))

    after = lower(module(body, SHAPE))
    assert kernels(after) == ["pack_signs", "bconv2d", "pack_signs", "bconv2d"]
    x = random_input(SHAPE)
    np.testing.assert_array_equal(run(after, x), expected(x, weight) + expected(x, weight, 0.5))


@LAYOUTS
def test_one_constant_where_the_border_is_no_exception(layout):
    """Without padding, or padded with a sign, all pixels count the same taps: no table of them goes into the
    library.
    """
    weight = random_signs((3, 3, 4, 32))
    plain = lower(module(lambda x: conv(op.sign(x), weight), SHAPE), layout)
    padded = lower(module(lambda x: conv(pad(op.sign(x), 1), weight), SHAPE), layout)
    zeros = lower(module(lambda x: conv(op.sign(x), weight, padding=1), SHAPE), layout)
    arguments = [len(list(calls(mod["main"]))[1][1].args[1]) for mod in (plain, padded, zeros)]
    assert arguments == [2, 2, 5]


FLOATS = np.full((3, 3, 4, 5), 0.5, np.float32)
STAYS = {
    "an input that is no sign": lambda x: conv(op.nn.relu(x), random_signs((3, 3, 4, 5))),
    "weights that are not -1 and +1": lambda x: conv(op.sign(x), FLOATS),
    "groups": lambda x: conv(op.sign(x), random_signs((3, 3, 2, 4)), groups=2),
    "signs padded with 0.5": lambda x: conv(pad(op.sign(x), 0.5), random_signs((3, 3, 4, 5))),
    "signs padded twice": lambda x: conv(pad(op.sign(x), 1), random_signs((3, 3, 4, 5)), padding=1),
    "signs padded along the channels": lambda x: conv(
        pad(op.sign(x), 1, (0, 0, 0, 0, 0, 0, 1, 0)), random_signs((3, 3, 5, 5))
    ),
    "channels first": lambda x: op.nn.conv2d(op.sign(x), const(random_signs((5, 6, 3, 3)))),
}


@pytest.mark.parametrize("why", STAYS)
def test_stays(why):
    assert_stays(lower, STAYS[why], SHAPE)


def test_weights_that_are_no_constant_stay():
    assert_stays(
        lower, lambda x, w: op.nn.conv2d(op.sign(x), w, data_layout="NHWC", kernel_layout="HWIO"), SHAPE, (3, 3, 4, 5)
    )


def test_the_index_knows_each_layer_by_its_packed_weights():
    """Equal weights in graph order, and a filter that was flipped still has its name."""
    first, second = random_signs((3, 3, 4, 5)), random_signs((3, 3, 4, 5), 1)
    oihw = [weight.transpose(3, 2, 0, 1) for weight in (second, first, first)]
    flipped = oihw[0] * np.array([1, -1, 1, -1, -1]).reshape(-1, 1, 1, 1)
    layers = [
        NamedLayer(name, "conv2d", weight_digest(w)) for name, w in zip("abc", (0.3 * flipped, oihw[1], 2 * oihw[2]))
    ]
    own = context(layout=WORDS, layers=layers)

    def body(x):
        signs = op.sign(x)
        return op.add(
            op.add(conv(signs, first, padding=1), conv(signs, second, padding=1)),
            conv(signs, first, padding=1, strides=1),
        )

    after = LowerBinaryConv2d(own)(module(body, SHAPE))
    found = []
    for _, call in calls(after["main"]):
        if op_name(call) == "relax.call_tir" and "bconv2d" in call.args[0].name_hint:
            found.append(own.kernels.find([arg.value.numpy() for arg in call.args[1].fields[1:]]))
    assert [layer.name for layer in found] == ["b", "a", "c"]
    assert {(layer.op, layer.precision) for layer in found} == {("conv2d", "binary")}
    assert found[0].workload == "conv2d_n1_c4_h6_w5_o5_k3x3_s1x1_p1x1x1x1_d1x1_g1"


# (channels of a group, groups, does each group begin at a whole word of 32 bits?)
GROUPS = {"whole words": (32, 3, True), "parts of words": (20, 2, False)}


@LAYOUTS
@pytest.mark.parametrize("case", GROUPS)
@pytest.mark.parametrize("pad_value", [0, 1])
def test_each_group_is_a_convolution_of_its_own(case, pad_value, layout):
    channels, groups, whole = GROUPS[case]
    weight = random_signs((3, 3, channels, 7 * groups))
    threshold = random_input((1, 1, 1, channels * groups), seed=1)
    shape = (1, 6, 5, channels * groups)

    def body(x):
        signs = op.sign(op.subtract(x, const(threshold)))
        signs = pad(signs, 1.0, (0, 0, 1, 1, 1, 1, 0, 0)) if pad_value else signs
        return conv(signs, weight, padding=0 if pad_value else 1, groups=groups)

    before = module(body, shape)
    layers = [NamedLayer("grouped", "conv2d", weight_digest(weight.transpose(3, 2, 0, 1)))]
    own = context(layout=layout, layers=layers)
    after = LowerBinaryConv2d(own)(before)
    packs = after.script().count("cls.pack_signs")
    assert packs == (1 if whole or (layout is BYTES and channels % 8 == 0) else groups)
    x = random_input(shape)
    np.testing.assert_array_equal(run(after, x), run(before, x))
    lowered = [call for _, call in calls(after["main"]) if op_name(call) == "relax.call_tir"]
    constants = [arg.value.numpy() for call in lowered for arg in call.args[1].fields if hasattr(arg, "value")]
    found = [layer for value in constants if (layer := own.kernels.find([value]))]
    assert [layer.name for layer in found] == ["grouped"] * groups
    assert all(layer.workload.endswith(f"_g{groups}") for layer in found)


def test_pooled_signs_in_groups():
    weight = random_signs((3, 3, 20, 6))
    pool = lambda x: op.nn.max_pool2d(op.sign(x), (2, 2), (2, 2), layout="NHWC")
    before = module(lambda x: conv(pool(x), weight, padding=1, groups=2), (1, 8, 6, 40))
    after = lower(before)
    assert after.script().count("cls.pool_bits") == 2
    x = random_input((1, 8, 6, 40))
    np.testing.assert_array_equal(run(after, x), run(before, x))
