"""A property of every call names the variable at which it is broken first, in whichever function of operators."""

from __future__ import annotations

import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.passes.framework.invariant import Invariant, of_every_call, relax_functions
from b2nn_tvm.relax_query import op_name
from tests.support.passes.relax_functions import module


def complaint(call, definition):
    """What is wrong with an exp of an exp."""
    nested = op_name(call) == "relax.exp" and op_name(definition(call.args[0])) == "relax.exp"
    return "an exp of an exp" if nested else ""


NO_TOWERS = Invariant("NO_TOWERS", "No exp is of an exp.", of_every_call(complaint))


def test_where_nothing_is_wrong_nothing_is_said():
    assert NO_TOWERS.violation(module(lambda x: op.exp(op.negative(op.exp(x))))) == ""


def test_the_first_broken_call_is_named():
    mod = module(lambda x: op.negative(op.exp(op.exp(op.exp(op.negative(x))))))
    bound = [binding.var.name for binding in mod["main"].body.blocks[0].bindings]
    assert NO_TOWERS.violation(mod) == f"{bound[2]}: an exp of an exp"


def test_a_second_function_is_asked_too():
    good, bad = module(op.exp)["main"], module(lambda x: op.exp(op.exp(x)))["main"]
    mod = tvm.IRModule({"main": good, "other": bad.with_attr("global_symbol", "other")})
    assert NO_TOWERS.violation(mod).endswith(": an exp of an exp")


def test_functions_of_loops_are_none_of_operators():
    mod = relax.transform.LegalizeOps()(module(op.negative))
    assert {name.name_hint for name in mod.get_global_vars()} == {"main", "tir_negative"}
    (function,) = relax_functions(mod)
    assert function.same_as(mod["main"])
