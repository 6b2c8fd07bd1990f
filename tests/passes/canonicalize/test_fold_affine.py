import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.passes.canonicalize.align_constants import AlignConstants
from b2nn_tvm.passes.canonicalize.fold_affine import FoldAffine
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import (
    SHAPE,
    assert_becomes,
    assert_stays,
    const,
    module,
    random_input,
    run,
    tidy,
)

A, B, C, D, E = (np.random.default_rng(s).uniform(0.5, 2, (1, 4, 1, 1)).astype(np.float32) for s in range(5))


def wide(*values):
    return [v.astype(np.float64) for v in values]


def test_the_chain_of_a_batch_norm_is_one_multiplication_and_one_addition():
    a, b, c, d, e = wide(A, B, C, D, E)

    def before(x):
        y = op.divide(op.subtract(op.multiply(op.nn.relu(x), const(A)), const(B)), const(C))
        return op.add(op.multiply(y, const(D)), const(E))

    def expected(x):
        return op.add(op.multiply(op.nn.relu(x), const(a / c * d)), const(-b / c * d + e))

    module_after = tidy(FoldAffine(context())(module(before)))
    for got, want in zip(constants(module_after), (a / c * d, -b / c * d + e)):
        np.testing.assert_array_max_ulp(got, want.astype(np.float32), 1)
    assert module_after.script().count("R.multiply") == module_after.script().count("R.add") == 1
    np.testing.assert_allclose(run(module_after, random_input()), run(module(expected), random_input()), rtol=1e-6)


def constants(mod):
    found = []
    relax.analysis.post_order_visit(
        mod["main"], lambda e: found.append(e.value.numpy()) if isinstance(e, tvm.ir.GenericConst) else None
    )
    return found


def test_constants_on_the_left_and_of_any_shape():
    assert_becomes(
        FoldAffine(context()),
        lambda x: op.subtract(const(3), op.add(const(B[0]), x)),
        lambda x: op.add(op.multiply(x, const(-np.ones((1, 4, 1, 1)))), const((3 - wide(B)[0]).astype(np.float32))),
    )


def test_what_becomes_the_identity_is_gone():
    assert_becomes(
        FoldAffine(context()), lambda x: op.nn.relu(op.multiply(op.multiply(x, const(2)), const(0.5))), op.nn.relu
    )
    scaled = lambda x: op.multiply(x, const(np.full((1, 4, 1, 1), 6)))
    assert_becomes(FoldAffine(context()), lambda x: op.multiply(op.multiply(x, const(2)), const(3)), scaled)


def test_rows_of_a_dense_layer():
    bias = np.arange(3, dtype=np.float32)
    assert_becomes(
        FoldAffine(context()),
        lambda x: op.add(op.add(x, const(bias)), const(bias)),
        lambda x: op.add(x, const(2 * bias.reshape(1, 3))),
        (2, 3),
    )


def test_a_threshold_is_not_folded():
    def body(x):
        return op.sign(op.subtract(op.add(op.multiply(x, const(A)), const(B)), const(C)))

    assert_stays(FoldAffine(context()), body)


def test_a_value_with_other_readers_is_not_passed():
    def body(x):
        inner = op.multiply(x, const(A))
        return op.multiply(op.nn.relu(inner), op.add(inner, const(B)))

    assert_stays(FoldAffine(context()), body)


def test_what_is_no_chain_stays():
    assert_stays(FoldAffine(context()), lambda x: op.subtract(x, const(A)))
    assert_stays(FoldAffine(context()), lambda x: op.add(op.multiply(x, const(np.arange(5))), const(A)))
    assert_stays(FoldAffine(context()), lambda x, y: op.add(op.multiply(x, const(A)), y), SHAPE, SHAPE)
    assert_stays(FoldAffine(context()), lambda x: op.add(op.divide(const(1), x), const(A)))
    assert_stays(FoldAffine(context()), lambda x: op.multiply(op.divide(x, const(0)), const(A)))


@pytest.mark.compiles
@pytest.mark.parametrize("constant_shape", [(1, 4, 1, 1), (4, 1, 1)])
def test_the_numbers_are_the_same(constant_shape):
    a, b, c = (v.reshape(constant_shape) for v in (A, B, C))
    before = module(lambda x: op.nn.relu(op.add(op.divide(op.subtract(x, const(a)), const(b)), const(c))))
    after = FoldAffine(context())(AlignConstants(context())(before))
    np.testing.assert_allclose(run(after, random_input()), run(before, random_input()), rtol=1e-6, atol=1e-6)
