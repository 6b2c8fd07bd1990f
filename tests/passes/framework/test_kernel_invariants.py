"""Each invariant of functions of loops tells a module that breaks it, and where, from one that does not."""

from __future__ import annotations

import pytest
import tvm
from tvm import relax, te, topi
from tvm.relax import op

from b2nn_tvm.kernel_attrs import BORDER, NOTED_OPERATIONS, OPERATIONS
from b2nn_tvm.passes.framework import kernel_invariants
from b2nn_tvm.passes.framework.invariant import Invariant
from b2nn_tvm.passes.fuse.zero_borders import ZeroBorders
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import const, module


def grouped():
    transform = relax.transform
    passes = [transform.LegalizeOps(), transform.AnnotateTIROpPattern(), transform.FuseOps()]
    return tvm.transform.Sequential(passes)(module(lambda x: op.nn.relu(op.multiply(x, const(2)))))


def kernels(**attributes):
    """A call of one function of loops with these attributes."""
    mod = relax.transform.LegalizeOps()(module(op.nn.relu))
    functions = {
        name: function if isinstance(function, relax.Function) else function.with_attrs(attributes)
        for name, function in mod.functions_items()
    }
    return tvm.IRModule(functions, attrs=mod.attrs)


def alone(**attributes):
    """A module of one function of loops, y [1, 3, 3, 1] = relu(x)."""
    x = te.placeholder((1, 3, 3, 1), name="x")
    return tvm.IRModule({"main": te.create_prim_func([x, topi.nn.relu(x)]).with_attrs({"kept": 1, **attributes})})


def returning(*results):
    """ "main" of x and its relu y, with the results that these functions of (x, y) name."""
    builder, x = relax.BlockBuilder(), relax.Var("x", relax.TensorType((2,), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit(op.nn.relu(x))
            output = builder.emit_output(relax.Tuple([result(x, y) for result in results]))
        builder.emit_func_output(output)
    return builder.get()


# name: (a module for which it holds, one that breaks it, where)
CASES = {
    "OPERATORS_LOWERED": (kernels(), module(op.nn.relu), "gv: a call of relax.nn.relu"),
    "PATTERNS_ANNOTATED": (kernels(op_pattern=0), kernels(), "relu: no attribute op_pattern"),
    "GROUPED": (grouped(), module(op.nn.relu), "gv: a call of relax.nn.relu"),
    "OPERATIONS_NOTED": (
        kernels().with_attr(NOTED_OPERATIONS, {"relu": ["relu"]}),
        kernels().with_attr(NOTED_OPERATIONS, {"exp": ["exp"]}),
        "relu: no operations are noted",
    ),
    "KERNELS_ONLY": (kernels(), grouped(), "gv: a call of I.GlobalVar"),
    "LABELLED": (kernels(**{OPERATIONS: ["relu"]}), kernels(), f"relu: no attribute {OPERATIONS}"),
    "OUTPUTS_WRITTEN": (
        returning(lambda x, y: y),
        returning(lambda x, y: y, lambda x, y: x),
        "output 1 is an input or a constant",
    ),
    "SCHEDULED": (alone(**{"tirx.is_scheduled": True}), alone(), "main: it has no schedule"),
    "BORDERS_ZEROED": (
        ZeroBorders(context())(alone(**{BORDER: [1, 0, 0, 1]})),
        alone(**{BORDER: [1, 0, 0, 1]}),
        "main: it does not start with setting its border to zero",
    ),
}
INVARIANTS = {value.name: value for value in vars(kernel_invariants).values() if isinstance(value, Invariant)}


def test_every_invariant_has_a_case():
    assert CASES.keys() == INVARIANTS.keys()


@pytest.mark.parametrize("name", CASES)
def test_holds_and_is_broken(name):
    good, bad, where = CASES[name]
    assert INVARIANTS[name].violation(good) == ""
    assert INVARIANTS[name].violation(bad).startswith(where)


def test_an_output_that_is_another_one_and_one_that_is_a_constant():
    twice = returning(lambda x, y: y, lambda x, y: y)
    assert INVARIANTS["OUTPUTS_WRITTEN"].violation(twice) == "output 1 is another output, too"
    constant = returning(lambda x, y: const([1, 2]), lambda x, y: y)
    assert INVARIANTS["OUTPUTS_WRITTEN"].violation(constant) == "output 0 is an input or a constant"
