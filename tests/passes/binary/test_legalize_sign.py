import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.kernel_attrs import SIGN_MEANING
from b2nn_tvm.passes.binary.legalize_sign import LegalizeSign
from b2nn_tvm.passes.canonicalize.canonicalize_sign import CanonicalizeSign
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import (
    assert_becomes,
    assert_stays,
    const,
    module,
    random_input,
    random_signs,
    run,
)

WEIGHT = const(random_signs((4, 4, 3, 3)))


def arithmetic(x):
    return op.where(op.greater_equal(x, const(0)), const(1), const(-1))


def conv(x, weight=WEIGHT):
    return op.nn.conv2d(x, weight, padding=1)


def pad(x):
    return op.nn.pad(x, [0, 0, 0, 0, 1, 1, 1, 1], "constant", -1.0)


@pytest.mark.parametrize(
    "reader",
    [op.nn.relu, lambda s: conv(s, const(np.ones((4, 4, 3, 3)) * 0.5)), lambda s: s, pad, lambda s: pad(pad(s))],
)
def test_a_sign_that_no_binary_convolution_reads_is_arithmetic(reader):
    assert_becomes(LegalizeSign(context()), lambda x: reader(op.sign(x)), lambda x: reader(arithmetic(x)))


def test_the_sign_of_a_binary_convolution_stays():
    assert_stays(LegalizeSign(context()), lambda x: conv(op.sign(x)))
    assert_stays(LegalizeSign(context()), lambda x: op.nn.conv2d(pad(op.sign(x)), WEIGHT))


def test_a_sign_with_both_kinds_of_readers_is_there_twice():
    def before(x):
        sign = op.sign(x)
        return op.add(conv(sign), sign)

    after = LegalizeSign(context())(module(before))
    assert after.script().count("R.sign(") == after.script().count("R.where(") == 1
    x = random_input()
    np.testing.assert_array_equal(run(after, x), run(module(before), x))


def test_the_module_says_no_more_what_a_sign_means():
    """CanonicalizeSign has said so before."""
    before = CanonicalizeSign(context())(module(op.sign))
    assert before.attrs[SIGN_MEANING] == "binary"
    assert SIGN_MEANING not in (LegalizeSign(context())(before).attrs or {})


def test_zero_and_nan():
    after = LegalizeSign(context())(module(op.sign))
    machine = relax.VirtualMachine(tvm.compile(after, target="llvm"), tvm.cpu())
    x = np.zeros((1, 4, 6, 5), np.float32)
    x[0, 0, 0, :3] = np.nan, -0.0, -np.inf
    expected = np.ones_like(x)
    expected[0, 0, 0, :3] = -1, 1, -1
    np.testing.assert_array_equal(machine["main"](tvm.runtime.tensor(x)).numpy(), expected)
