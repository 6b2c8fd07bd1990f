"""Kernels are known by their attributes: each name is spelled once, and nobody decides by what a function is called."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import tvm
from tvm import te

from b2nn_tvm import kernel_attrs
from b2nn_tvm.kernel_attrs import (
    OPERATIONS,
    ROLE,
    Op,
    Role,
    Window,
    full_range_of,
    groups_of,
    lanes_of,
    mark,
    op_of,
    operations_of,
    packed_channels_of,
    role_of,
    role_of_fused,
    tile_size_of,
    window_of,
    workload_of,
)
from b2nn_tvm.relax_query import calls
from b2nn_tvm.workload import ConvWorkload
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network, binary, binary_constants
from tests.support.parsed import parsed
from tests.support.passes.kernel_functions import kernels

ROOT = Path(__file__).parent.parent
FOLDERS = ("b2nn_tvm/ops", "b2nn_tvm/passes", "schedules", "deploy/codegen")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
WORKLOAD = ConvWorkload(1, 4, 9, 7, 8, (3, 3), stride=(2, 1), dilation=(1, 3), groups=2)


def block_annotations(**numbers):
    """The annotations as a schedule reads them: of a block of a function that TVM has made."""
    x = te.placeholder((4,), name="x")
    y = te.compute((4,), lambda i: x[i] + 1, name="y", attrs=mark(Op.CONV2D, WORKLOAD, **numbers))
    schedule = tvm.s_tir.Schedule(te.create_prim_func([x, y]))
    return schedule.get(schedule.get_sblock("y")).annotations


def test_what_is_marked_is_read_from_the_block():
    annotations = block_annotations(lanes=16, groups=2, tile_size=4, channels=32, window=True)
    assert op_of(annotations) is Op.CONV2D
    assert workload_of(annotations) == WORKLOAD.key
    read = (lanes_of(annotations), groups_of(annotations), tile_size_of(annotations), packed_channels_of(annotations))
    assert read == (16, 2, 4, 32)
    assert window_of(annotations) == Window(stride=(2, 1), dilation=(1, 3))


def test_a_block_without_a_mark_has_no_op_and_one_without_groups_has_one():
    assert op_of({}) is None
    assert groups_of(block_annotations(lanes=16)) == 1


def test_only_weights_of_minus_128_are_marked():
    assert full_range_of(block_annotations(full_range=True))
    assert not full_range_of(block_annotations(lanes=4))


def test_role_and_operations_are_read_from_a_function():
    x = te.placeholder((4,), name="x")
    function = te.create_prim_func([x, te.compute((4,), lambda i: x[i] + 1)])
    assert role_of(function.attrs) is None and role_of(None) is None
    assert operations_of(function.attrs) == operations_of(None) == ()
    function = function.with_attrs({ROLE: str(Role.POOL_BITS), OPERATIONS: ["one", "two"]})
    assert role_of(function.attrs) is Role.POOL_BITS
    assert operations_of(function.attrs) == ("one", "two")


def test_a_fused_function_has_the_role_of_its_convolution():
    assert role_of_fused({None, Role.PAD_INPUT, Role.CONVOLUTION}) is Role.CONVOLUTION
    assert role_of_fused({None, Role.PAD_INPUT}) is Role.PAD_INPUT
    assert role_of_fused({None}) is None


def test_roles_survive_the_passes(tmp_path):
    """Also those of functions that FuseTIR merged, and that pack or pad what they compute."""
    network = Network(
        "a = Conv <pads = [1, 1, 1, 1]> (input, w)"
        + binary("a", "b", "u", 32)
        + "c = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (b)"
        + binary("c", "d", "x", 32)
        + "e = Relu (d) f = Conv <group = 32> (e, y) g = GlobalAveragePool (f) h = Flatten (g) output = Gemm (h, z, i)",
        {
            "w": (32, 4, 3, 3),
            **binary_constants("u", 32, 32),
            **binary_constants("x", 32, 32),
            "y": (32, 1, 1, 1),
            "z": (32, 5),
            "i": (5,),
        },
        inputs="float[1,4,13,14] input",
        outputs="float[N,C] output",
    )
    module = kernels(save(tmp_path, network.build())).module
    found = {call.args[0].name_hint: role_of(module[call.args[0]].attrs) for _, call in calls(module["main"])}
    assert found == {
        "fused_transpose_pad_input": Role.PAD_INPUT,
        "conv2d_pack": Role.CONVOLUTION,
        "bconv2d_pack": Role.CONVOLUTION,
        "pool_bits": Role.POOL_BITS,
        "fused_bconv2d1_multiply_relu": Role.CONVOLUTION,
        "depthwise_conv2d": Role.DEPTHWISE_CONVOLUTION,
        "mean": None,
        "reshape": None,
        "fused_dense_add": Role.DENSE,
    }


def test_the_names_of_attributes_are_spelled_in_one_file():
    assert len(SOURCES) > 100
    spelled = [str(path.relative_to(ROOT)) for path in SOURCES if "b2nn." in path.read_text(encoding="utf-8")]
    assert not spelled, (
        f"{spelled} spell the name of an attribute; take it, or its reader, from b2nn_tvm/kernel_attrs.py"
    )


def test_no_two_attributes_have_one_name():
    names = [
        value for name, value in vars(kernel_attrs).items() if isinstance(value, str) and value.startswith("b2nn.")
    ]
    assert len(names) >= 10 and len(set(names)) == len(names)


NAMES = {"name_hint", "function", "symbol", "global_symbol"}
LOOKING_INSIDE = {"startswith", "endswith", "find", "index", "count", "split", "partition", "rpartition"}


def substring_tests(tree: ast.AST) -> list[int]:
    """The lines that look for something inside the name of a function: ``word in name``, ``name.startswith`` and so on.

    A name's place in a table (``name_hint in labels``) is not looked for inside a name.
    """
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            lines += [node.lineno for right in node.comparators if names_a_function(right)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            inside = node.func.attr in LOOKING_INSIDE and names_a_function(node.func.value)
            matched = ast.unparse(node.func) in ("re.match", "re.search", "re.findall")
            lines += [node.lineno] * (inside or (matched and any(map(names_a_function, node.args))))
    return lines


def names_a_function(node: ast.AST) -> bool:
    """Whether an expression is such a name, as it is or made a string of."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str":
        return any(map(names_a_function, node.args))
    return isinstance(node, ast.Attribute) and node.attr in NAMES


def test_nothing_is_decided_by_a_part_of_a_functions_name():
    found = {str(path.relative_to(ROOT)): lines for path in SOURCES if (lines := substring_tests(parsed(path)))}
    assert not found, f"the lines {found} tell a kernel by its name; give it a Role and read that"


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("any(word in call.function for word in words)", 1),
        ('"pool_bits" in call.args[0].name_hint', 1),
        ('"reshape" not in str(callee.global_symbol)', 1),
        ('name.name_hint.startswith("fused_")', 1),
        ('re.match("pack", step.symbol)', 1),
        ('re.fullmatch("[a-z]+", step.symbol)', 0),
        ("name.name_hint in labels", 0),
        ('call.function.removeprefix("fused_")', 0),
        ("sch.get(block).name_hint == name", 0),
    ],
)
def test_the_search_for_such_decisions_finds_them(source, count):
    assert len(substring_tests(ast.parse(source))) == count
