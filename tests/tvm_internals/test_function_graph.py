"""Functions that differ in names alone have one text; any other difference shows, however small it is."""

from __future__ import annotations

import pytest
import tvm
import tvm_ffi
from tvm import te, tirx
from tvm.s_tir import Schedule

from b2nn_tvm.tvm_internals.function_graph import canonical_text, with_canonical_names

BREAKS = "the JSON of TVM's objects has changed; see b2nn_tvm/tvm_internals/function_graph.py"


def function(
    *names: str, n: int = 64, factor: float = 2.0, split: int = 8, dtype: str = "float32", swap: bool = False
) -> tirx.PrimFunc:
    """out = (x * factor) - other, in a parallel loop around a vectorized one."""
    x, other, product, out = names or ("x", "other", "product", "out")
    a, b = te.placeholder((n, n), dtype, x), te.placeholder((n, n), dtype, other)
    c = te.compute((n, n), lambda i, j: a[i, j] * tirx.const(factor, dtype), name=product)
    d = te.compute((n, n), lambda i, j: (b[i, j] - c[i, j]) if swap else (c[i, j] - b[i, j]), name=out)
    schedule = Schedule(te.create_prim_func([a, b, d]))
    rows, columns = schedule.get_loops(schedule.get_sblock(out))
    schedule.compute_inline(schedule.get_sblock(product))
    schedule.parallel(rows)
    schedule.vectorize(schedule.split(columns, [None, split])[1])
    return schedule.mod["main"]


@pytest.mark.parametrize(
    "names",
    [
        ("lv7", "lv8", "lv9", "lv10"),  # short names, which TVM keeps by value
        ("a_value_with_a_long_name", "another_long_name", "a_third_long_name", "a_fourth_long_name"),
        ("same", "same", "same_block", "same_block_too"),
        ("global", "float32", "main", "s_tir"),  # words that the function holds for other reasons as well
    ],
)
def test_names_are_left_out(names):
    assert canonical_text(function(*names)) == canonical_text(function()), BREAKS


@pytest.mark.parametrize(
    "change",
    [
        {"n": 128},
        {"factor": 2.0000002},
        {"factor": -2.0},
        {"split": 16},
        {"dtype": "float64"},
        {"swap": True},
    ],
    ids=str,
)
def test_all_else_is_in_the_text(change):
    assert canonical_text(function(**change)) != canonical_text(function()), BREAKS


@pytest.mark.parametrize("attribute", ["tirx.noalias", "an.attribute"])
def test_attributes_are_in_the_text(attribute):
    changed = function().with_attr(attribute, False)
    assert canonical_text(changed) != canonical_text(function()), BREAKS


def pointwise(compute) -> tirx.PrimFunc:
    """out[i] = compute(x[i], y[i])."""
    x, y = (te.placeholder((8,), "float32", name) for name in "xy")
    return te.create_prim_func([x, y, te.compute((8,), lambda i: compute(x[i], y[i]), name="out")])


@pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (1.0, float("inf")), (1e-45, 3e-45)])
def test_numbers_are_in_the_text_to_the_last_bit(one, other):
    with_number = lambda number: pointwise(lambda x, y: tirx.max(x * y, tirx.const(number, "float32")))
    assert canonical_text(with_number(one)) != canonical_text(with_number(other)), BREAKS


def test_which_variable_stands_where_is_in_the_text():
    functions = [
        pointwise(lambda x, y: tirx.exp(x) - y),
        pointwise(lambda x, y: tirx.exp(y) - x),
        pointwise(lambda x, _: tirx.exp(x) - x),
        pointwise(lambda _, y: tirx.exp(y) - y),
    ]
    assert len({*map(canonical_text, functions)}) == 4, BREAKS


def test_the_kind_of_a_loop_is_in_the_text():
    """It is one of the numbers that TVM writes among the indices of nodes."""
    texts = set()
    for kind in ("serial", "parallel", "vectorize", "unroll"):
        schedule = Schedule(pointwise(lambda x, y: x + y))
        if kind != "serial":
            getattr(schedule, kind)(schedule.get_loops(schedule.get_sblock("out"))[0])
        texts.add(canonical_text(schedule.mod["main"]))
    assert len(texts) == 4, BREAKS


def test_canonical_names_change_nothing_else():
    names = ("lv7", "global", "product", "float32")
    renamed = with_canonical_names(function(*names))
    assert tvm_ffi.structural_equal(renamed, function()), BREAKS
    assert tvm.ir.save_json(renamed) == tvm.ir.save_json(with_canonical_names(function("a", "b", "c", "d"))), BREAKS
    assert not {"lv7", "product"} & set(tvm.ir.save_json(renamed).split('"')), BREAKS
