"""Binary 1x1 convolutions, compiled, equal reference.py bit for bit with every kind of output."""

from functools import partial

import pytest

from tests.support.exactness.check import INSTRUCTION_SETS, check
from tests.support.exactness.networks import cross_product, parts


@pytest.mark.in_turn("isa")
@pytest.mark.parametrize("isa", INSTRUCTION_SETS)
@pytest.mark.parametrize("part", parts(1))
def test_equals_the_reference(part, isa, tmp_path):
    check(partial(cross_product, 1, part), isa, tmp_path)
