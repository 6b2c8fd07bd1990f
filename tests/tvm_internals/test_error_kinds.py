from __future__ import annotations

import pytest
import tvm

from b2nn_tvm import errors
from b2nn_tvm.tvm_internals.error_kinds import keep_error_kinds

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.B2nnError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_that_comes_back_from_below_tvm_has_its_kind_and_text(kind):
    keep_error_kinds()

    def fail(_module, _context):
        raise kind("what was expected,\nand what came")

    with pytest.raises(errors.B2nnError) as caught:
        tvm.transform.module_pass(fail, opt_level=0, name="Fail")(tvm.IRModule({}))
    assert type(caught.value) is kind and str(caught.value) == "what was expected,\nand what came"
