"""A pass or a schedule that fails is asked again with less and less of the network, until one call is left to blame."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import tvm
from tvm import relax

from b2nn_tvm.errors import ProgramFault, UnsupportedError
from b2nn_tvm.passes.framework.find_fault import failing_kernel
from b2nn_tvm.passes.framework.rewriter import rewrite_calls
from b2nn_tvm.passes.pipeline import run
from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest
from b2nn_tvm.relax_query import op_name
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import SHAPE, const, module

NODES = {"first/Exp": "'first/Exp' (Exp)", "second_tanh": "'second.tanh' (Tanh)"}


def network(*unary) -> tvm.IRModule:
    """A module whose "main" applies these operators in turn; the first ones have the names of NODES."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(SHAPE, "float32"))
    names = [*NODES, *[""] * len(unary)]
    with builder.function("main", [x]):
        value = x
        with builder.dataflow():
            for operator, name in zip(unary, names):
                value = builder.emit(operator(value), name_hint=name)
            value = builder.emit_output(value)
        builder.emit_func_output(value)
    return builder.get()


def failing_at(name: str, error: Exception):
    def rule(call, _context):
        if op_name(call) == name:
            raise error
        return

    @tvm.transform.module_pass(opt_level=0, name="Faulty")
    class Faulty:
        def transform_module(self, module, _pass_context):
            return rewrite_calls(module, rule)

    return Faulty()


OPERATORS = (relax.op.exp, relax.op.tanh, relax.op.abs, relax.op.negative, relax.op.sqrt)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("relax.exp", "at node 'first/Exp' (Exp) in the pass Faulty"),
        ("relax.tanh", "at node 'second.tanh' (Tanh) in the pass Faulty"),
        ("relax.negative", "at negative behind node 'second.tanh' (Tanh) in the pass Faulty"),
        ("relax.sqrt", "at sqrt behind node 'second.tanh' (Tanh) in the pass Faulty"),
    ],
)
def test_the_pass_and_the_node_are_named(name, where):
    own = context(nodes=NODES)
    passes = (relax.transform.CanonicalizeBindings(), failing_at(name, ValueError("an inner fault")))
    with pytest.raises(ProgramFault) as caught:
        run(passes, network(*OPERATORS), own, name="stage")
    assert f"rewriting the network failed {where}: ValueError: an inner fault; this is" in str(caught.value)
    assert "an inner fault" in str(caught.value.__cause__)


def test_an_error_for_users_passes_through_tvm_as_it_is():
    with pytest.raises(UnsupportedError, match="^not this one$"):
        run((failing_at("relax.tanh", UnsupportedError("not this one")),), network(*OPERATORS), context(), name="stage")


def test_a_fault_of_tvm_itself_is_placed_as_well():
    """LegalizeOps has no implementation of the operator that a broken pass has left."""

    @tvm.transform.module_pass(opt_level=0, name="Break")
    class Break:
        def transform_module(self, module, _pass_context):
            def rule(call, _context):
                if op_name(call) != "relax.tanh":
                    return None
                axes = relax.op.permute_dims(call.args[0], [0, 2, 3, 1])
                return relax.op.add(call.args[0], axes)  # these shapes do not go together

            return rewrite_calls(module, rule)

    with pytest.raises(ProgramFault, match=r"at node 'second.tanh' \(Tanh\) in the pass Break: "):
        run((Break(),), network(*OPERATORS), context(nodes=NODES), name="stage")


def test_what_does_not_fail_again_is_told_without_a_place():
    failures = [ValueError("once")]

    @tvm.transform.module_pass(opt_level=0, name="Once")
    class Once:
        def transform_module(self, module, _pass_context):
            if failures:
                raise failures.pop()
            return module

    with pytest.raises(ProgramFault, match="^rewriting the network failed: ValueError: once"):
        run((Once(),), network(*OPERATORS), context(nodes=NODES), name="stage")


class Array(np.ndarray):
    """An array that can be referred to weakly."""


def _with_a_weight():
    """A list with a module that holds an array as its weight, and a function that says whether the array is freed."""
    room = np.ones(SHAPE[-1] * 16 + 16, np.float32).view(Array)
    values = room[-(room.ctypes.data // 4) % 16 :][: SHAPE[-1]]  # TVM takes arrays at multiples of 64 bytes
    found = weakref.ref(values)
    weight = relax.const(tvm.runtime.from_dlpack(values))
    return [module(lambda x: relax.op.add(x, weight))], lambda: found() is None


def test_what_a_pass_has_replaced_is_freed_before_the_next_one():
    """Weights are kept neither for the caller nor for the search for faults."""

    modules, freed = _with_a_weight()
    seen = []

    def replace(call, _context):
        return relax.op.exp(call.args[0]) if op_name(call) == "relax.add" else None

    def step(rule):
        @tvm.transform.module_pass(opt_level=0, name="Step")
        class Step:
            def transform_module(self, module, _pass_context):
                seen.append(freed())
                return rewrite_calls(module, rule)

        return Step()

    run((step(replace), step(lambda call, _context: None)), modules.pop(), context(), name="stage")
    assert seen == [False, True]


def kernels() -> tvm.IRModule:
    return relax.transform.LegalizeOps()(network(*OPERATORS))


def failing_in(function: str):
    def work(part: tvm.IRModule) -> None:
        if any(function in name.name_hint for name in part.get_global_vars()):
            raise ValueError("no schedule")

    return work


@pytest.mark.parametrize(
    ("function", "where"),
    [
        ("exp", "at node 'first/Exp' (Exp) (the kernel exp)"),
        ("tanh", "at node 'second.tanh' (Tanh) (the kernel tanh)"),
        ("abs", "at abs behind node 'second.tanh' (Tanh)"),
    ],
)
def test_the_kernel_that_fails_alone_is_named_by_its_call(function, where):
    found = failing_kernel(failing_in(function), kernels(), context(nodes=NODES))
    assert found.replace("tir_", "") == where


def test_a_layer_is_named_by_its_weights():
    weight = np.random.default_rng(0).standard_normal((3, 4, 1, 1)).astype(np.float32)
    layers = [NamedLayer("trunk.conv", "conv2d", weight_digest(weight))]
    module_ = module(lambda x: relax.op.negative(relax.op.abs(relax.op.nn.conv2d(x, const(weight)))))
    with pytest.raises(ProgramFault, match="failed at layer 'trunk.conv' in the pass Faulty: "):
        run((failing_at("relax.nn.conv2d", ValueError("no")),), module_, context(layers=layers), name="stage")
    with pytest.raises(ProgramFault, match="failed at negative behind layer 'trunk.conv' in the pass Faulty: "):
        run((failing_at("relax.negative", ValueError("no")),), module_, context(layers=layers), name="stage")


def test_where_each_kernel_alone_works_nothing_is_said():
    assert failing_kernel(lambda part: None, kernels(), context()) == ""
