"""Each invariant of operators tells a module that breaks it, and where, from one that does not."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import relax
from tvm.relax import op

from b2nn_tvm.kernel_attrs import SIGN_MEANING
from b2nn_tvm.passes.framework import invariants
from b2nn_tvm.passes.framework.invariant import Invariant
from tests.support.passes.relax_functions import const, module, random_signs

NHWC = {"data_layout": "NHWC", "kernel_layout": "HWIO"}
NCHW_SIGNS, NHWC_SIGNS = const(random_signs((5, 4, 3, 3))), const(random_signs((3, 3, 5, 6)))
DENSE = const(random_signs((6, 2)))


def nchw(x, weight=NCHW_SIGNS):
    return op.nn.conv2d(x, weight)


def nhwc(x):
    return op.nn.conv2d(x, NHWC_SIGNS, **NHWC)


def dense(x):
    return op.matmul(op.reshape(x, (20, 6)), DENSE)


def binary_dense(x):
    return op.matmul(op.sign(op.reshape(x, (20, 6))), DENSE)


def with_alias():
    x = relax.Var("x", relax.TensorType((2,), "float32"))
    builder = relax.BlockBuilder()
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit(op.nn.relu(x))
            other = relax.DataflowVar("other", y.ty)
            builder.emit_normalized(relax.VarBinding(other, y))
            output = builder.emit_output(op.exp(other))
        builder.emit_func_output(output)
    return builder.get()


def meaning(mod):
    return mod.with_attr(SIGN_MEANING, "binary")


# name: (a module for which it holds, one that breaks it, where)
CASES = {
    "NCHW": (module(nchw), module(nhwc), "gv: a convolution in NHWC with weights in HWIO"),
    "NHWC": (module(nhwc), module(nchw), "gv: a convolution in NCHW with weights in OIHW"),
    "CONSTANTS_FOLDED": (
        module(lambda x: op.concat([x, const(np.ones((1, 4, 6, 5)))])),
        module(lambda x: op.add(x, op.concat([const(np.ones((1, 2, 6, 5)))] * 2, 1))),
        "lv: relax.concat of constants",
    ),
    "CONSTANTS_ALIGNED": (
        module(lambda x: op.add(op.multiply(x, const(2)), const(np.ones((1, 4, 1, 1))))),
        module(lambda x: op.add(x, const(np.ones((4, 1, 1))))),
        "gv: a constant of rank 3 in relax.add",
    ),
    "AXES_FROM_FRONT": (
        module(lambda x: op.sum(x, [3])),
        module(lambda x: op.sum(x, [-1])),
        "gv: axis of relax.sum counts from the end",
    ),
    "NO_ALIASES": (module(op.nn.relu), with_alias(), "other: another name of lv"),
    "SIGN_IS_BINARY": (meaning(module(op.sign)), module(op.sign), "the module's attribute b2nn.sign is None"),
    "WEIGHTS_SPLIT": (
        module(lambda x: op.add(nchw(op.sign(x)), nchw(x, op.multiply(NCHW_SIGNS, const(2))))),
        module(lambda x: nchw(op.sign(x), const(2 * NCHW_SIGNS.value.numpy()))),
        "gv: a convolution of signs by weights of ±alpha",
    ),
    "NO_BINARY_DENSE": (module(dense), module(binary_dense), "gv: a dense layer of signs by ±alpha"),
    "NO_BINARY_CONV": (module(nhwc), module(lambda x: nhwc(op.sign(x))), "gv: a binary convolution"),
    "NO_SIGN": (module(op.nn.relu), module(op.sign), "gv: a sign"),
    "CONVS_LOWERED": (module(nchw), module(nhwc), "gv: a convolution by constant weights"),
}
INVARIANTS = {value.name: value for value in vars(invariants).values() if isinstance(value, Invariant)}


def test_every_invariant_has_a_case():
    assert CASES.keys() == INVARIANTS.keys()


@pytest.mark.parametrize("name", CASES)
def test_holds_and_is_broken(name):
    good, bad, where = CASES[name]
    assert INVARIANTS[name].violation(good) == ""
    assert INVARIANTS[name].violation(bad).startswith(where)


def test_a_remark_on_signs_is_not_left_behind():
    assert (
        INVARIANTS["NO_SIGN"].violation(meaning(module(op.nn.relu))) == f"the module has the attribute {SIGN_MEANING}"
    )
