import numpy as np
import pytest
import tvm
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.classify_convs import ClassifyConvs, classify_convs
from b2nn_tvm.provenance.conv_class import ConvClass
from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import SHAPE, const, module, random_signs

SIGNS = random_signs((4, 4, 3, 3))
FLOATS = np.arange(1, 145, dtype=np.float32).reshape(4, 4, 3, 3)


def conv(x, weight=SIGNS, **kwargs):
    return op.nn.conv2d(x, const(weight), **kwargs)


def pad(x, value, widths=(0, 0, 0, 0, 1, 1, 1, 1)):
    return op.nn.pad(x, list(widths), "constant", value)


def ternary(x):
    zero = const(0)
    return op.subtract(op.astype(op.greater(x, zero), "float32"), op.astype(op.less(x, zero), "float32"))


@pytest.mark.parametrize(
    "body",
    [
        lambda x: conv(op.sign(x)),
        lambda x: conv(op.sign(op.subtract(x, const(np.ones((1, 4, 1, 1))))), padding=(1, 0, 2, 3), strides=2),
        lambda x: conv(pad(op.sign(x), -1.0)),
        lambda x: op.nn.conv2d(
            pad(op.sign(x), 1.0, (0, 0, 1, 1, 2, 2, 0, 0)),
            const(random_signs((3, 3, 5, 2))),
            data_layout="NHWC",
            kernel_layout="HWIO",
        ),
    ],
)
def test_the_canonical_form_is_binary(body):
    assert classify_convs(module(body)) == (ConvClass("unnamed1", True, ""),)


REASONS = {
    "it is the input of the network": conv,
    "it comes from max_pool2d": lambda x: conv(op.nn.max_pool2d(x, (2, 2)), FLOATS),
    "it comes from relu": lambda x: conv(op.permute_dims(op.nn.relu(x), [0, 1, 3, 2]), FLOATS),
    "it comes from multiply, with codes of 8 bits": lambda x: conv(
        op.multiply(op.clip(op.round(x), 0, 255), const(0.5))
    ),
    "its weights are ±alpha, but its input is not a sign": lambda x: conv(x, 2 * SIGNS),
    "its input is a sign, but its weights are not ±alpha: in output channel 0 they go from 1 to 36 in magnitude": (
        lambda x: conv(op.sign(x), FLOATS)
    ),
    "Sign(0) = 0: pass sign_zero='+1'": lambda x: conv(ternary(x)),
    "has the values 0, 1, not -1 and +1": lambda x: conv(op.astype(op.greater_equal(x, const(0)), "float32")),
    "scaled per input channel": lambda x: conv(
        op.multiply(op.sign(x), const(np.array([1, 2.5, 3.7, 4.1]).reshape(1, 4, 1, 1)))
    ),
    "grouped convolution (groups=2)": lambda x: conv(op.sign(x), SIGNS[:, :2], groups=2),
    "is padded with 0.5": lambda x: conv(pad(op.sign(x), 0.5)),
    "padded twice, with -1 and with 0": lambda x: conv(pad(op.sign(x), -1.0), padding=1),
    "its input is padded twice": lambda x: conv(pad(pad(op.sign(x), -1.0), 1.0)),
    "max_pool2d stands between": lambda x: conv(op.nn.max_pool2d(op.sign(x), (2, 2))),
    "its data type is float16": lambda x: op.nn.conv2d(op.astype(op.sign(x), "float16"), const(SIGNS, "float16")),
}


@pytest.mark.parametrize("reason", REASONS)
def test_the_reason_why_a_convolution_stays_float(reason):
    (found,) = classify_convs(module(REASONS[reason]))
    assert not found.binary
    assert reason in found.reason


# (weights, groups, is the convolution of floats weight-binary?, what is said of it)
FLOAT_INPUTS = {
    "signs": (SIGNS, 1, True, "is weight-binary: its weights are ±alpha, but its input is not a sign"),
    "one weight to a filter": (SIGNS[:, :1, :1, :1], 1, False, "stays float: its weights are ±alpha, but its input"),
    "groups": (SIGNS[:, :2], 2, True, "is weight-binary: its weights are ±alpha, but its input is not a sign"),
    "depthwise": (
        SIGNS[:, :1],
        4,
        False,
        "stays float: its weights are ±alpha, one channel to a filter, but its input",
    ),
    "rounded": (
        np.nextafter(SIGNS, 2 * SIGNS[::-1]),
        1,
        False,
        "stays float: its weights are ±alpha only within rounding, but its input",
    ),
    "floats": (FLOATS, 1, False, "stays float: its input is not a sign"),
}


@pytest.mark.parametrize("case", FLOAT_INPUTS)
def test_what_is_said_of_a_convolution_of_floats(case):
    weight, groups, weight_binary, verdict = FLOAT_INPUTS[case]
    (found,) = classify_convs(module(lambda x: conv(x, weight, groups=groups), (1, weight.shape[1] * groups, 6, 5)))
    assert (found.binary, found.weight_binary) == (False, weight_binary)
    assert found.verdict.startswith(verdict)


def test_weights_that_are_no_constant():
    (found,) = classify_convs(module(lambda x, w: op.nn.conv2d(op.sign(x), w), SHAPE, SIGNS.shape))
    assert found == ConvClass("unnamed1", False, "its weights are computed at run time")


def test_padding_along_the_channels():
    (found,) = classify_convs(module(lambda x: conv(pad(op.sign(x), 1.0, (0, 0, 1, 0, 1, 1, 1, 1))), (1, 3, 6, 5)))
    assert found.reason == "its input is padded along the batch or the channels"


def test_names_come_from_the_weights_in_either_layout():
    layers = [
        NamedLayer("float", "conv2d", weight_digest(FLOATS)),
        NamedLayer("binary", "conv2d", weight_digest(SIGNS)),
    ]
    nchw = module(lambda x: op.add(conv(op.sign(x)), conv(x, FLOATS)))
    assert [c.name for c in classify_convs(nchw, layers=layers)] == ["binary", "float"]
    nhwc = module(
        lambda x: op.nn.conv2d(x, const(FLOATS.transpose(2, 3, 1, 0)), data_layout="NHWC", kernel_layout="HWIO"),
        (1, 5, 5, 4),
    )
    assert [c.name for c in classify_convs(nhwc, layers=layers)] == ["float"]


def test_the_pass_tells_the_index_and_the_log_and_leaves_the_module():
    layers = [
        NamedLayer("float", "conv2d", weight_digest(FLOATS)),
        NamedLayer("binary", "conv2d", weight_digest(SIGNS)),
    ]
    own, before = context(layers=layers), module(lambda x: op.add(conv(op.sign(x)), conv(x, FLOATS)))
    tvm.ir.assert_structural_equal(ClassifyConvs(own)(before), before)
    assert own.kernels.convs == classify_convs(before, layers=layers)
    assert [(entry.rule, entry.layer, entry.applied, entry.reason) for entry in own.log.in_order([])] == [
        ("ClassifyConvs", "binary", True, "is binary"),
        ("ClassifyConvs", "float", False, "stays float: its input is not a sign: it is the input of the network"),
    ]


def test_a_network_of_binary_weights_without_any_sign_is_said_to_be_one():
    second = random_signs((4, 4, 3, 3), seed=1)
    layers = [NamedLayer(name, "conv2d", weight_digest(w)) for name, w in (("a", SIGNS), ("b", second))]

    def said(body, layers):
        own = context(layers=layers)
        ClassifyConvs(own)(module(body))
        return [entry.reason for entry in own.log.in_order([]) if not entry.layer]

    lost = lambda x: conv(op.clip(conv(op.clip(x, -1, 1)), -1, 1), second)
    (text,) = said(lost, layers)
    assert text.startswith("2 convolutions have weights of two values, but no sign is in front of any of them")
    assert not said(lambda x: conv(op.sign(conv(op.clip(x, -1, 1))), second), layers)
    assert not said(conv, layers)
    marked = [NamedLayer(layer.name, layer.kind, layer.digest, marked=True) for layer in layers]
    assert not said(lost, marked)  # the file itself says that these layers are so


def test_a_convolution_of_a_few_bits():
    levels = lambda x: op.multiply(op.clip(op.round(x), 0, 3), const(0.5))
    (found,) = classify_convs(module(lambda x: conv(levels(x), 2 * SIGNS, padding=1)))
    assert found == ConvClass("unnamed1", False, "", bits="w1a2")
    assert found.verdict == "is w1a2"
    (found,) = classify_convs(module(lambda x: conv(levels(x), SIGNS[:, :2], groups=2)))
    assert found.reason.startswith("its input has 2 bits and its weights 1, but its groups are narrower than 16")
