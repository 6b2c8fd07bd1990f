"""The words that NoteOperations left in the module go to the functions."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.kernel_attrs import NOTED_OPERATIONS, OPERATIONS
from b2nn_tvm.passes.fuse.label_kernels import LabelKernels
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import const, module, random_input, run

WORDS = {"relu": ["relu"], "multiply": ["scale"]}


def kernels():
    body = lambda x: op.nn.relu(op.multiply(op.nn.relu(x), const(2)))
    return tvm.transform.Sequential([relax.transform.LegalizeOps(), relax.transform.FuseTIR()])(module(body))


def test_each_function_gets_its_words_and_the_module_has_them_no_more():
    before = kernels()
    after = LabelKernels(context())(before.with_attr(NOTED_OPERATIONS, WORDS).with_attr("kept", "as it is"))
    functions = {
        name: function
        if isinstance(function, relax.Function)
        else function.with_attr(OPERATIONS, WORDS[name.name_hint])
        for name, function in before.functions_items()
    }
    assert len(functions) == 3
    expected = tvm.IRModule(functions, attrs={"kept": "as it is"})
    tvm.ir.assert_structural_equal(after, expected)


def test_a_function_of_which_nothing_is_noted_stays():
    before = kernels()
    after = LabelKernels(context())(before.with_attr(NOTED_OPERATIONS, {"another": ["relu"]}))
    tvm.ir.assert_structural_equal(after, before)


@pytest.mark.compiles
def test_the_numbers_are_the_same():
    before, x = kernels(), random_input()
    after = LabelKernels(context())(before.with_attr(NOTED_OPERATIONS, WORDS))
    np.testing.assert_array_equal(run(after, x), run(before, x))
