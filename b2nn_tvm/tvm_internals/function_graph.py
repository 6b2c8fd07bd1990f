"""A function of TIR as text that does not depend on what its variables and blocks are called.

What TVM does: ``tvm.ir.save_json`` writes an object as a list of nodes, each behind the nodes that it refers to by
their index. ``load_json`` follows the indices from the root on, so that a node may also refer to one behind it.

Why we need it: kernels of two networks are often equal but for names such as ``lv79``, which count the values of the
network. TVM's structural hash leaves names out, but has 64 bits, and two functions may share them.

When it breaks: compare ``_RAW`` and ``_TYPES`` with the fields that ``save_json`` writes. A type that is not in
``_TYPES`` is safe: functions that have it are only found equal less often.
"""

from __future__ import annotations

import json
from typing import Any

import tvm
from tvm import tirx

_NAMES = {"ir.Var": "name", "s_tir.SBlock": "name_hint"}  # the fields that hold names for people
# The fields that hold numbers; in all other fields of these types an integer is the index of a node.
_RAW = {
    ("relax.ShapeType", "ndim"),
    ("relax.TensorType", "ndim"),
    ("tirx.BufferType", "data_alignment"),
    ("tirx.BufferType", "offset_factor"),
    ("tirx.For", "kind"),
    ("tirx.IterVar", "iter_type"),
}
_TYPES = {
    "ir": (
        "Call DictAttrs FloatImm IntImm PointerType PrimType Range StringImm StringType TensorLoad "
        "TensorRegion TupleType Var"
    ),
    "prim": (
        "Add And BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Broadcast Cast Div EQ FloorDiv FloorMod GE GT LE "
        "LShift LT Max Min Mul NE Not Or RShift Ramp Select Sub"
    ),
    "relax": "FuncType ShapeType TensorType",
    "relax.expr": "ShapeExpr",
    "s_tir": "MatchBufferRegion SBlock SBlockRealize",
    "tirx": (
        "AttrStmt BufferRegionType BufferStore BufferType Evaluate For IfThenElse Iter IterVar PrimFunc "
        "SeqStmt TileLayout"
    ),
}
_KNOWN = {f"{module}.{name}" for module, names in _TYPES.items() for name in names.split()}


def canonical_text(function: tirx.PrimFunc) -> str:
    """The whole content of ``function`` as text, but for the names of variables and blocks.

    Functions with equal texts compute the same in the same way.
    """
    graph = json.loads(tvm.ir.save_json(function), parse_float=str, parse_constant=str)
    table: dict[object, int] = {}  # the number of each distinct node
    found: list[object] = []  # a node's number in the table; a node without references stands for itself
    variables = 0
    for node in graph["nodes"]:
        kind, data = node["type"], node.get("data")
        if not isinstance(data, dict | list):
            found.append((kind, repr(data)))
            continue
        variables += kind == "ir.Var"
        identity = variables if kind == "ir.Var" else 0  # variables of one type are still different variables
        content = _list(data, found) if isinstance(data, list) else _fields(kind, data, found)
        found.append(table.setdefault((kind, identity, content), len(table)))
    return "\n".join(map(repr, [*table, found[graph["root_index"]]]))


def with_canonical_names(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """The same function, in which variables and blocks are numbered in place of their names.

    Functions with equal texts become equal to the last byte of their code and of its debugging information.
    """
    graph = json.loads(tvm.ir.save_json(function))
    nodes = graph["nodes"]
    for number, node in enumerate([each for each in nodes if each["type"] in _NAMES]):
        node["data"][_NAMES[node["type"]]] = len(nodes)
        nodes.append({"type": "ffi.String", "data": f"n{number}"})
    return tvm.ir.load_json(json.dumps(graph))


def _list(data: list[Any], found: list[object]) -> tuple[object, ...]:
    return tuple(found[index] for index in data)


def _fields(kind: str, data: dict[str, Any], found: list[object]) -> tuple[object, ...]:
    """The content of a node with fields; of an unknown type every integer counts both as a number and as an index."""
    names = {"span", _NAMES.get(kind, "span")}
    content: list[object] = []
    for key, value in data.items():
        if key in names:
            continue
        refers = type(value) is int and (kind, key) not in _RAW and 0 <= value < len(found)
        if kind not in _KNOWN or not refers:
            content.append((key, repr(value)))
        if refers:
            content.append((key, found[value]))
    return tuple(content)
