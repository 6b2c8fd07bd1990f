"""Each step is booked under a layer, or has a row of its own."""

from __future__ import annotations

import numpy as np
from tvm import relax, topi

from b2nn_tvm.provenance.kernel_layers import KernelLayer
from tests.support.deploy.kernel_network import SHAPE, lowered


def find(layers):
    """The layer whose constant is all of the number by which ``layers`` knows it."""
    return lambda constants: next((layers[int(c.flat[0])] for c in constants if int(c.flat[0]) in layers), None)


CONV1 = KernelLayer("conv1", "conv2d", "binary", "work1")
CONV2 = KernelLayer("conv2", "conv2d", "float", "work2")
WEIGHT1, WEIGHT2 = np.full(SHAPE, 1, np.float32), np.full((4, 7), 2, np.float32)


def two_layers(net, x):
    y = net.call("negate", x)
    y = net.call("add", net.call("pack_signs", y), relax.const(WEIGHT1.astype(np.uint8)))
    y = net.builder.emit(net.builder.call_te(lambda t: topi.cast(t, "float32"), y, primfunc_name_hint="fused_cast1"))
    return net.call("add", net.call("pad_input", y), relax.const(WEIGHT2))


def test_rows_say_what_each_layer_became():
    program, _ = lowered(
        two_layers,
        find_layer=find({1: CONV1, 2: CONV2}),
        descriptions={"add": "first tile", "add1": "second tile", "negate": "generic"},
        reasons={"conv1": "never shown", "conv2": "its input is not a sign"},
    )
    rows = {row.name: row for row in program.layers}
    assert list(rows) == ["negate#0", "conv1", "cast#3", "conv2"]
    assert [step.layer for step in program.steps] == ["negate#0", "conv1", "conv1", "cast#3", "conv2", "conv2"]
    assert (rows["conv1"].op, rows["conv1"].precision, rows["conv1"].reason) == ("conv2d", "binary", "")
    assert (rows["conv1"].workload, rows["conv1"].schedule) == ("work1", "first tile")
    assert (rows["conv2"].precision, rows["conv2"].reason) == ("float", "its input is not a sign")
    assert (rows["conv2"].workload, rows["conv2"].schedule) == ("work2", "second tile")
    other = rows["negate#0"]
    assert (other.op, other.precision, other.reason, other.workload, other.schedule) == (
        "negate",
        "float",
        "",
        "",
        "generic",
    )


def test_the_bytes_of_a_row_are_those_of_its_constants():
    program, _ = lowered(two_layers, find_layer=find({1: CONV1, 2: CONV2}))
    sizes = {row.name: row.size_bytes for row in program.layers}
    assert sizes["negate#0"] == sizes["cast#3"] == 0
    assert sizes["conv1"] == 15 and sum(sizes.values()) == len(program.constants)


def test_packing_that_two_layers_share_is_booked_under_the_first():
    def body(net, x):
        packed = net.call("pack_signs", x)
        first = net.call("add", packed, relax.const(np.full(SHAPE, 1, np.uint8)))
        second = net.call("add", packed, relax.const(np.full(SHAPE, 2, np.uint8)))
        return [first, second]

    program, _ = lowered(body, outputs=("a", "b"), find_layer=find({1: CONV1, 2: CONV2}))
    assert [step.layer for step in program.steps] == ["conv1", "conv1", "conv2"]


def test_packing_that_no_layer_reads_has_a_row_of_its_own():
    program, _ = lowered(lambda net, x: net.call("pack_signs", x))
    assert [(row.name, row.op) for row in program.layers] == [("pack_signs#0", "pack_signs")]
