"""A rule sees one call at a time, arguments first; what it answers takes the call's place, and what is unused goes."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import relax, te, topi
from tvm.relax import op

from b2nn_tvm.passes.framework.rewriter import rewrite_calls, with_attributes
from b2nn_tvm.relax_query import calls, ints, op_name
from tests.support.passes.relax_functions import SHAPE, assert_becomes, assert_stays, const, module, random_input, run

X = random_input()


def applying(rule):
    return lambda mod: rewrite_calls(mod, rule)


def exp_to_negative(call, context):
    return op.negative(call.args[0]) if op_name(call) == "relax.exp" else None


def test_what_a_rule_answers_takes_the_place_of_the_call():
    assert_becomes(
        applying(exp_to_negative),
        lambda x: op.add(op.exp(x), op.abs(op.exp(x))),
        lambda x: op.add(op.negative(x), op.abs(op.negative(x))),
    )


def test_where_no_rule_applies_all_stays_and_so_do_the_attributes_of_the_module():
    assert_stays(applying(exp_to_negative), op.abs)
    assert dict(rewrite_calls(module(op.exp).with_attr("kept", 7), exp_to_negative).attrs) == {"kept": 7}


def test_arguments_are_rewritten_first_and_their_definitions_are_found():
    """The abs sees the negative that was an exp before."""

    def rule(call, context):
        if op_name(call) == "relax.abs" and op_name(context.definition(call.args[0])) == "relax.negative":
            return context.definition(call.args[0]).args[0]
        return exp_to_negative(call, context)

    assert_becomes(applying(rule), lambda x: op.sin(op.abs(op.exp(x))), op.sin)


def test_a_parameter_and_a_constant_are_their_own_definitions():
    asked = []

    def rule(call, context):
        asked.append([context.definition(arg).same_as(arg) for arg in call.args])

    assert_stays(applying(rule), lambda x: op.add(x, const(1)))
    assert asked == [[True, True]]


def test_new_bindings_stand_in_front_of_the_call():
    def rule(call, context):
        return op.negative(context.emit(op.abs(call.args[0]))) if op_name(call) == "relax.exp" else None

    assert_becomes(applying(rule), op.exp, lambda x: op.negative(op.abs(x)))
    after = rewrite_calls(module(op.exp), rule)
    assert [op_name(call) for _, call in calls(after["main"])] == ["relax.abs", "relax.negative"]


def test_what_has_become_unused_is_dropped():
    def rule(call, context):
        return context.definition(call.args[0]).args[0] if op_name(call) == "relax.abs" else None

    after = rewrite_calls(module(lambda x: op.sin(op.abs(op.exp(x)))), rule)
    assert [op_name(call) for _, call in calls(after["main"])] == ["relax.sin"]


def test_every_function_of_operators_is_rewritten_and_loops_are_not():
    mod = relax.transform.LegalizeOps()(module(op.negative))
    other = module(op.exp)["main"].with_attr("global_symbol", "other")
    mod = tvm.IRModule({**dict(mod.functions_items()), tvm.ir.GlobalVar("other"): other})
    after = rewrite_calls(mod, exp_to_negative)
    ((_, call),) = calls(after["other"])
    assert op_name(call) == "relax.negative"
    tvm.ir.assert_structural_equal(after["tir_negative"], mod["tir_negative"])


def test_the_variable_of_the_call_is_that_of_the_function_as_it_was():
    seen = []
    mod = module(lambda x: op.abs(op.exp(x)))
    rewrite_calls(mod, lambda call, context: seen.append((op_name(call), context.var)))
    assert seen == [(op_name(call), var) for var, call in calls(mod["main"])]


@pytest.mark.parametrize("pattern", [None, 4])
def test_a_tensor_expression_becomes_a_function_with_attributes(pattern):
    def rule(call, context):
        if op_name(call) != "relax.exp":
            return None
        return context.call_te(lambda x: topi.add(x, x), call.args[0], name="twice", pattern=pattern, attrs={"mine": 1})

    after = rewrite_calls(module(op.exp), rule)
    ((_, call),) = calls(after["main"])
    assert op_name(call) == "relax.call_tir" and call.args[0].name_hint == "twice"
    attrs = after["twice"].attrs
    assert attrs["mine"] == 1 and attrs.get("op_pattern") == pattern
    np.testing.assert_array_equal(run(after, X), 2 * X)


def test_a_finished_function_is_called_for_a_result_of_its_type():
    x = te.placeholder(SHAPE, "float32", name="x")
    above = topi.cast(topi.greater(x, tvm.tirx.const(0.5, "float32")), "int8")
    kernel = te.create_prim_func([x, above]).without_attr("global_symbol")

    def rule(call, context):
        if op_name(call) != "relax.exp":
            return None
        return context.call_kernel(kernel, call.args[0], name="above", out=relax.TensorType(SHAPE, "int8"))

    after = rewrite_calls(module(op.exp), rule)
    ((_, call),) = calls(after["main"])
    assert str(call.ty.dtype) == "int8"
    np.testing.assert_array_equal(run(after, X), X > 0.5)


def test_some_attributes_change_and_the_others_stay():
    mod = module(lambda x: op.nn.max_pool2d(x, (2, 3), (2, 1), (1, 1, 0, 0), layout="NCHW"))
    ((_, call),) = calls(mod["main"])
    changed = with_attributes(call, strides=[1, 2], layout="NHWC")
    assert (ints(changed.attrs.strides), str(changed.attrs.layout)) == ((1, 2), "NHWC")
    assert (ints(changed.attrs.pool_size), ints(changed.attrs.padding)) == ((2, 3), (1, 1, 0, 0))
    assert ints(call.attrs.strides) == (2, 1) and op_name(changed) == "relax.nn.max_pool2d"
    assert changed.args[0].same_as(call.args[0])
