"""Which nodes mean the same in a newer opset."""

from __future__ import annotations

import pytest

from b2nn_tvm.frontend.versions.same_form import keeps_its_form


@pytest.mark.parametrize(
    ("operator", "old", "new", "same"),
    [
        ("Relu", 18, 23, True),
        ("Cast", 18, 21, True),  # has an attribute more
        ("Resize", 18, 23, True),
        ("GroupNormalization", 18, 21, False),  # reads its scales in another way
        ("GridSample", 18, 20, False),  # calls its modes in another way
        ("Softmax", 11, 18, False),  # has another axis by default
        ("ReduceMean", 11, 18, False),  # has its axes in another place
        ("Gelu", 18, 20, False),  # did not exist
        ("NoSuchOperator", 18, 20, False),
    ],
)
def test_forms(operator, old, new, same):
    assert keeps_its_form(operator, old, new) == same
