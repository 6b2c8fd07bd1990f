"""A packing becomes a part of the convolution whose result it packs; see test_pipeline.py for whole networks."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.passes.fuse.fuse_pack import FusePack, compose
from b2nn_tvm.passes.pipeline import lower_binary, lower_float
from b2nn_tvm.relax_query import calls
from tests.support.passes.compile_context import apply_stage, context
from tests.support.passes.relax_functions import const, module, random_input, random_signs, run

SHAPE = (1, 6, 5, 4)  # NHWC
HALF = np.full((1, 1, 1, 32), 0.5, np.float32)


def conv(x, inputs, outputs, padding=0):
    weight = const(random_signs((3, 3, inputs, outputs), seed=outputs))
    return op.nn.conv2d(op.sign(x), weight, padding=padding, data_layout="NHWC", kernel_layout="HWIO")


def lowered(body):
    return apply_stage(lower_float, apply_stage(lower_binary, module(body, SHAPE)))


def names(mod):
    return [call.args[0].name_hint.rstrip("0123456789") for _, call in calls(mod["main"])]


def chain(padding=0):
    return lowered(lambda x: conv(op.multiply(conv(x, 4, 32), const(HALF)), 32, 8, padding))


@pytest.mark.parametrize("padding", [0, 1])
def test_a_chain_of_two_layers(padding):
    """pack, conv, pack, conv  ->  pack, conv and pack, conv; the second packing's thresholds are its last constant."""
    before = chain(padding)
    after = FusePack(context())(before)
    (_, pack), (_, first), (_, between), (_, second) = calls(before["main"])
    fused = compose(before[first.args[0]], before[between.args[0]], between.ty, keep=False)
    tvm.ir.assert_structural_equal(after["bconv2d_pack"], fused)

    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(SHAPE, "float32"))
    call = lambda function, name, args, like: relax.call_tir(builder.add_func(function, name), args, out_ty=like.ty)
    with builder.function("main", [x]):
        with builder.dataflow():
            signs = builder.emit(call(before[pack.args[0]], "pack_signs", [x, pack.args[1][1]], pack))
            arguments = [signs, *first.args[1].fields[1:], between.args[1][1]]
            packed = builder.emit(call(fused, "bconv2d_pack", arguments, between))
            result = call(before[second.args[0]], "bconv2d1", [packed, *second.args[1].fields[1:]], second)
            output = builder.emit_output(result)
        builder.emit_func_output(output)
    tvm.ir.assert_structural_equal(after["main"], builder.get()["main"], map_free_vars=True)


def test_a_result_that_others_read_is_kept_beside_its_bits():
    def body(x):
        value = op.multiply(conv(x, 4, 32), const(HALF))
        return op.add(op.mean(value, keepdims=True), op.mean(conv(value, 32, 8), keepdims=True))

    before = lowered(body)
    after = FusePack(context())(before)
    (both,) = [
        call for _, call in calls(after["main"]) if call.args and "_pack" in getattr(call.args[0], "name_hint", "")
    ]
    assert [tuple(map(int, field.shape)) for field in both.ty.fields] == [(1, 4, 3, 32), (1, 4, 3, 4)]
    assert names(before).count("pack_signs") == 2
    x = random_input(SHAPE)
    np.testing.assert_array_equal(run(after, x), run(before, x))


# (the network, why its second packing is a kernel of its own)
STAYS = {
    "a pooling": (
        lambda x: conv(op.nn.avg_pool2d(x, (2, 2), layout="NHWC"), 4, 8),
        "what it packs comes from avg_pool2d, which is no convolution",
    ),
    "a border of ones": (
        lambda x: op.nn.conv2d(
            op.nn.pad(op.sign(conv(x, 4, 32)), [0, 0, 1, 1, 1, 1, 0, 0], "constant", 1.0),
            const(random_signs((3, 3, 32, 8))),
            data_layout="NHWC",
            kernel_layout="HWIO",
        ),
        "its border is of ones",
    ),
    "few channels": (lambda x: conv(conv(x, 4, 12), 12, 8), "12 channels are not whole vectors and words"),
}


@pytest.mark.parametrize("case", STAYS)
def test_other_packings_stay_and_the_log_says_why(case):
    body, reason = STAYS[case]
    before, own = lowered(body), context()
    tvm.ir.assert_structural_equal(FusePack(own)(before), before)
    last = own.log.in_order([])[-1]
    assert (last.rule, last.applied) == ("FusePack", False)
    assert last.reason == f"its input is packed by a kernel of its own: {reason}"


def test_the_numbers_are_the_same():
    before = chain()
    after = FusePack(context())(before)
    assert names(after) == ["pack_signs", "bconv2d_pack", "bconv2d"]
    x = random_input(SHAPE)
    np.testing.assert_array_equal(run(after, x), run(before, x))
