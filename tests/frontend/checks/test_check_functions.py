"""Functions that call themselves, or one another too often, are refused before they are inlined."""

from __future__ import annotations

import pytest
from onnx import helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_functions import MOST_NODES, check_functions
from b2nn_tvm.frontend.read_onnx import load_model
from tests.support.networks.onnx_models import model, save


def function(name: str, *called: str):
    """A function of nodes in a chain; those whose names are single letters are functions themselves."""
    values = ["x", *(f"v{index}" for index in range(len(called) - 1)), "y"]
    nodes = [
        helper.make_node(op, [a], [b], domain="b2nn" if len(op) < 5 else "")
        for op, a, b in zip(called, values, values[1:])
    ]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("b2nn", 1)]
    return helper.make_function("b2nn", name, ["x"], ["y"], nodes, opsets)


def calling(*functions):
    built = model("output = b2nn.f0 (input)")
    built.functions.extend(functions)
    return built


def test_functions_that_call_others(tmp_path):
    built = calling(function("f0", "f1", "Softplus", "f1"), function("f1", "Softsign"))
    check_functions(built)
    found = load_model(save(tmp_path, built))
    assert [node.op_type for node in found.graph.node] == ["Softsign", "Softplus", "Softsign"]


def test_functions_of_one_name_with_overloads(tmp_path):
    built = calling(function("f0", "Softsign"), function("f0", "Softplus"))
    built.functions[1].overload = built.graph.node[0].overload = "smooth"
    found = load_model(save(tmp_path, built))
    assert [node.op_type for node in found.graph.node] == ["Softplus"]


@pytest.mark.parametrize(
    "functions",
    [
        (function("f0", "f0"),),
        (function("f0", "f1"), function("f1", "f2", "f0"), function("f2", "Softsign")),
        (function("f0", "Softsign"), function("f1", "f1")),
    ],
)
def test_functions_that_call_themselves(functions, tmp_path):
    with pytest.raises(InputError, match="the function 'f[01]' calls itself"):
        load_model(save(tmp_path, calling(*functions)))


def test_a_function_that_is_there_twice():
    with pytest.raises(InputError, match="'f0' is there twice"):
        check_functions(calling(function("f0", "Softsign"), function("f0", "Softplus")))


def test_functions_that_double_the_graph_again_and_again():
    chain = [function(f"f{index}", f"f{index + 1}", f"f{index + 1}") for index in range(60)]
    with pytest.raises(InputError, match=f"more than {MOST_NODES} nodes"):
        check_functions(calling(*chain, function("f60", "Softsign")))


@pytest.mark.parametrize("order", [1, -1])
def test_a_long_chain_of_functions_is_refused_without_recursion(order):
    chain = [function(f"f{index}", f"f{index + 1}") for index in range(3000)]
    check_functions(calling(*chain[:90], function("f90", "Softsign")))
    with pytest.raises(InputError, match="call one another more than 100 deep"):
        check_functions(calling(*[*chain, function("f3000", "Softsign")][::order]))


def test_a_body_that_reads_what_is_not_there(tmp_path):
    broken = function("f0", "Softsign")
    broken.node[0].input[0] = "nowhere"
    with pytest.raises(InputError, match="model.onnx: the functions of the file cannot be inlined: .*nowhere"):
        load_model(save(tmp_path, calling(broken)))
