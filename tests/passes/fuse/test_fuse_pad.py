"""Results are computed inside the padding that the next layer wants, or there is a reason in the log."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import IRModule, relax, te, topi
from tvm.relax import TupleType, op
from tvm.tirx import const

from b2nn_tvm.kernel_attrs import BORDER, pad_value_of
from b2nn_tvm.passes.fuse.fuse_pad import FusePad, read_inside, write_inside
from b2nn_tvm.passes.fuse.zero_borders import ZeroBorders
from b2nn_tvm.passes.pipeline import lower_float
from b2nn_tvm.relax_query import calls
from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.targets.target import get
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network, binary, binary_constants
from tests.support.ops.scheduled import build
from tests.support.passes.compile_context import apply_stage, context
from tests.support.passes.kernel_functions import called, kernels
from tests.support.passes.relax_functions import module, random_input, random_signs, run

CONV = "{y} = Conv <pads = [1, 1, 1, 1]> ({x}, {w})"
WEIGHTS = {"w": (16, 4, 3, 3), "v": (16, 16, 3, 3), "u": (16, 16, 3, 3)}


def network(*nodes, outputs="float[N,C,H,W] output", **constants):
    return Network(" ".join(nodes), {**WEIGHTS, **constants}, outputs=outputs)


def conv(x, y, w):
    return CONV.format(x=x, y=y, w=w)


def decisions(found):
    """(layer, applied, reason) of the pass."""
    return [(entry.layer, entry.applied, entry.reason) for entry in found.log.in_order([]) if entry.rule == "FusePad"]


SMALL = (1, 6, 5, 4)  # NHWC


def two_convolutions(padding=1):
    def conv(x, inputs, outputs):
        weight = relax.const(random_signs((3, 3, inputs, outputs), seed=outputs) * np.float32(2))
        attrs = {"strides": 2, "padding": padding, "data_layout": "NHWC", "kernel_layout": "HWIO"}
        return op.nn.conv2d(x, weight, **attrs)

    return apply_stage(lower_float, module(lambda x: conv(op.nn.relu(conv(x, 4, 8)), 8, 8), SMALL))


def test_what_is_padded_behind_is_written_inside():
    """pad, conv, pad, conv  ->  pad, conv into its border, conv."""
    before = two_convolutions()
    after = FusePad(context())(before)
    (_, first_pad), (_, first), (_, between), (_, second) = calls(before["main"])
    written = write_inside(before[first.args[0]], (1, 1, 1, 1))
    tvm.ir.assert_structural_equal(after["fused_conv2d_relu_pad"], written)

    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(SMALL, "float32"))
    call = lambda function, name, args, like: relax.call_tir(builder.add_func(function, name), args, out_ty=like.ty)
    with builder.function("main", [x]):
        with builder.dataflow():
            padded = builder.emit(call(before[first_pad.args[0]], "pad_input", [x], first_pad))
            inside = builder.emit(call(written, "fused_conv2d_relu_pad", [padded, first.args[1][1]], between))
            result = call(before[second.args[0]], "conv2d1", [inside, second.args[1][1]], second)
            output = builder.emit_output(result)
        builder.emit_func_output(output)
    tvm.ir.assert_structural_equal(after["main"], builder.get()["main"], map_free_vars=True)


def test_without_padding_nothing_changes():
    before = two_convolutions(padding=0)
    tvm.ir.assert_structural_equal(FusePad(context())(before), before)


def test_the_numbers_are_the_same():
    before, x = two_convolutions(), random_input(SMALL)
    after = ZeroBorders(context())(FusePad(context())(before))
    np.testing.assert_array_equal(run(after, x), run(before, x))


def test_a_chain_of_padded_convolutions_copies_nothing(tmp_path):
    """The second result is read padded by the third layer, and as it is by the sum at the end."""
    chain = network(
        conv("input", "a", "w"),
        "b = Relu (a)",
        conv("b", "c", "v"),
        conv("c", "d", "u"),
        "e = Add (d, c) output = Relu (e)",
    )
    found = kernels(save(tmp_path, chain.build()))
    names = [name for name in called(found) if name != "transpose"]
    assert [name.removesuffix("_pad") for name in names] == [
        "transpose_pad_input",
        "conv2d_relu",
        "winograd_conv2d",
        "winograd_conv2d_add_relu",
    ]
    assert [name.endswith("_pad") for name in names] == [False, True, True, False]
    _, _, third, fourth, *_ = (call for _, call in calls(found.module["main"]))
    assert any(
        field.same_as(third_var)
        for third_var, call in calls(found.module["main"])
        if call.same_as(third)
        for field in fourth.args[1]
    )
    assert [applied for _, applied, _ in decisions(found)] == [True, True]
    assert {reason for _, _, reason in decisions(found)} == {"its input is computed inside its padding"}


def test_a_kernel_of_two_results_reads_inside_a_border(tmp_path):
    """A binary layer with the padded tensor as its shortcut, whose sum is both packed and kept."""
    case = network(
        conv("input", "a", "w"),
        "r = Relu (a)",
        conv("r", "b", "v"),
        binary("b", "c", "x", 16),
        "d = Add (c, r)",
        binary("d", "e", "z", 16),
        "output = Add (e, d)",
        **binary_constants("x", 16, 16),
        **binary_constants("z", 16, 16),
    )
    found = kernels(save(tmp_path, case.build()))
    padded = [var for var, call in calls(found.module["main"]) if call.args[0].name_hint.endswith("relu_pad")]
    (both,) = [call for _, call in calls(found.module["main"]) if isinstance(call.ty, TupleType)]
    assert any(field.same_as(padded[0]) for field in both.args[1]) and len(both.ty.fields) == 2


def test_two_layers_share_one_padded_input(tmp_path):
    both = network(
        conv("input", "a", "w"), "b = Relu (a)", conv("b", "c", "v"), conv("b", "d", "u"), "output = Mul (c, d)"
    )
    found = called(kernels(save(tmp_path, both.build())))
    assert len([name for name in found if "pad" in name]) == 2  # the network's input, and b


STAYS = {
    "it is an output, too": (
        network(
            conv("input", "a", "w"),
            conv("a", "output", "v"),
            "y = Transpose <perm = [0, 2, 3, 1]> (a)",
            outputs="float[N,C,H,W] output, float[N,H,W,C] y",
        ),
        "an output of the network",
    ),
    "a reduction": (
        network(conv("input", "a", "w"), "b = MaxPool <kernel_shape = [5, 5]> (a)", conv("b", "output", "v")),
        "ends in a reduction",
    ),
    "it is flattened, too": (
        network(
            conv("input", "a", "w"),
            "f = Transpose <perm = [0, 2, 3, 1]> (a) y = Reshape (f, s)",
            conv("a", "output", "v"),
            outputs="float[N,C,H,W] output, float[N,C] y",
            s=np.array([1, 1008]),
        ),
        "knows no border",
    ),
    "bits are packed, too": (
        network(
            conv("input", "a", "w"),
            binary("a", "b", "x", 16),
            conv("a", "c", "v"),
            "output = Add (b, c)",
            **binary_constants("x", 16, 16),
        ),
        "one of two results",
    ),
}


@pytest.mark.parametrize("why", STAYS)
def test_stays(tmp_path, why):
    case, reason = STAYS[why]
    found = kernels(save(tmp_path, case.build()))
    assert "pad_input" in [name.rstrip("0123456789") for name in called(found)]
    (entry,) = decisions(found)
    assert not entry[1] and reason in entry[2]


def test_other_paddings_of_the_same_result_read_it_inside(tmp_path):
    two = network(
        conv("input", "a", "w"),
        "b = Relu (a)",
        conv("b", "c", "v"),
        "d = Conv <pads = [2, 2, 2, 2], dilations = [2, 2]> (b, u)",
        "output = Mul (c, d)",
    )
    found = kernels(save(tmp_path, two.build()))
    assert [applied for _, applied, _ in decisions(found)] == [True, False]
    assert "padded otherwise for another layer" in decisions(found)[1][2]


# ---- what the functions compute

PADDING = (1, 2, 3, 0)


def scheduled(function):
    native = get("native")
    vector_unit = vector_unit_named(native.vector)
    result, _ = schedule_function(function, vector_unit=vector_unit, records=Records(vector_unit.name))
    return build(ZeroBorders(context())(IRModule({"main": result}))["main"], native)


def elementwise(channels):
    x, y = (te.placeholder((2, 4, 5, channels), name=name) for name in "xy")
    return te.create_prim_func([x, y, topi.nn.relu(topi.add(topi.multiply(x, const(2.0, "float32")), y))])


@pytest.mark.parametrize("channels", [3, 32])
def test_the_image_is_written_inside_and_the_border_is_zero(channels):
    rng = np.random.default_rng(channels)
    x, y = (rng.standard_normal((2, 4, 5, channels)).astype(np.float32) for _ in range(2))
    function = write_inside(elementwise(channels), PADDING)
    assert tuple(map(int, function.attrs[BORDER])) == PADDING
    expected = np.pad(np.maximum(2 * x + y, 0), ((0, 0), (1, 3), (2, 0), (0, 0)))
    np.testing.assert_array_equal(scheduled(function)(x, y), expected)


def test_the_border_of_codes_is_their_zero_point():
    x, y = (np.random.default_rng(0).standard_normal((2, 4, 5, 3)).astype(np.float32) for _ in range(2))
    function = write_inside(elementwise(3), PADDING, 3)
    assert pad_value_of(function.attrs) == 3
    expected = np.pad(np.maximum(2 * x + y, 0), ((0, 0), (1, 3), (2, 0), (0, 0)), constant_values=3)
    np.testing.assert_array_equal(scheduled(function)(x, y), expected)


@pytest.mark.parametrize("channels", [3, 32])
def test_the_image_is_read_from_inside(channels):
    """Rubbish in the border has no effect."""
    rng = np.random.default_rng(channels)
    x, y = rng.standard_normal((2, 4, 5, channels)), rng.standard_normal((2, 8, 7, channels))
    x, y = x.astype(np.float32), y.astype(np.float32)
    function = read_inside(elementwise(channels), 1, PADDING)
    np.testing.assert_array_equal(scheduled(function)(x, y), np.maximum(2 * x + y[:, 1:5, 2:], 0))
