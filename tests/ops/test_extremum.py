"""Maxima and minima against numpy, which keeps NaN; what keeping it costs is pinned in instructions."""

import numpy as np
import pytest
from tvm import te, tirx

from b2nn_tvm.ops.extremum import largest, reducer, smallest
from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.targets.target import get
from tests.support.ops.scheduled import compile_tensors
from tests.support.schedules.assembly import innermost_loop
from tests.support.schedules.compiled import emit

SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-40, 3.5, -3.5], np.float32)
A, B = (grid.reshape(-1).astype(np.float32) for grid in np.meshgrid(SPECIAL, SPECIAL))
PICKS = [(largest, np.maximum), (smallest, np.minimum)]


@pytest.mark.parametrize(("pick", "expected"), PICKS)
def test_one_of_two_tensors(pick, expected):
    a, b = (te.placeholder(A.shape, name=name) for name in "ab")
    got = compile_tensors([a, b, te.compute(A.shape, lambda i: pick([a(i), b(i)]))], get("native"))(A, B)
    np.testing.assert_array_equal(got, expected(A, B))


@pytest.mark.parametrize(("pick", "expected"), PICKS)
@pytest.mark.parametrize("bound", [0.0, -3.5, np.inf])
def test_a_tensor_and_a_number(pick, expected, bound):
    a = te.placeholder(A.shape, name="a")
    bounded = te.compute(A.shape, lambda i: pick([a(i)], [tirx.const(bound, "float32")]))
    np.testing.assert_array_equal(compile_tensors([a, bounded], get("native"))(A), expected(A, np.float32(bound)))


@pytest.mark.parametrize(("pick", "expected"), PICKS)
def test_a_reduction(pick, expected):
    with_nan = [np.roll(SPECIAL, shift) for shift in range(8)]
    without = [np.roll(np.append(SPECIAL[1:], 2), shift) for shift in range(8)]
    rows = np.stack(with_nan + without, 1).astype(np.float32)
    x = te.placeholder(rows.shape, name="x")
    k = te.reduce_axis((0, rows.shape[0]))
    got = compile_tensors([x, te.compute(rows.shape[1:], lambda i: reducer(pick)(x[k, i], axis=k))], get("native"))(
        rows
    )
    np.testing.assert_array_equal(got, expected.reduce(rows))


@pytest.mark.parametrize("pick", [largest, smallest])
def test_integers_need_no_more_than_a_maximum(pick):
    a, b = tirx.Var("a", "int32"), tirx.Var("b", "int32")
    assert isinstance(pick([a, b]), tirx.Max if pick is largest else tirx.Min)


@pytest.mark.parametrize(
    ("isa", "instruction", "others"),
    [
        ("x86", r"vmaxps .*%ymm", r"vcmp|vblend|vand"),
        ("x86-avx512", r"vmaxps .*%[yz]mm", r"vcmp|vblend|vand"),
        ("arm", r"fmax v\d+\.4s", r"fcm|bif|bit|bsl|bic|and v"),
        ("armv7", r"vmax\.f32 q", r"vcgt|vclt|vbic|vbsl"),
    ],
)
def test_a_relu_is_one_instruction(isa, instruction, others):
    """The operand order that keeps NaN is as fast as the other one."""
    unit = vector_unit_named(get(isa).vector)
    with get(isa).tvm_target():
        x = te.placeholder((1, 56, 56, 64), name="x")
        relu = te.compute(x.shape, lambda *at: largest([x(*at)], [tirx.const(0.0, "float32")]))
        function, _ = schedule_function(te.create_prim_func([x, relu]), vector_unit=unit, records=Records(unit.name))
    loop = innermost_loop(emit(isa, function), instruction)
    assert loop.count(instruction) >= 1
    assert loop.count(others) == 0
