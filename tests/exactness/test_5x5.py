"""Binary 5x5 convolutions, compiled, equal reference.py bit for bit with every kind of output."""

from functools import partial

import pytest

from tests.support.exactness.check import check, in_turn
from tests.support.exactness.networks import PARTS, cross_product


@pytest.mark.parametrize(("part", "isa"), in_turn(range(PARTS), turn=2))
def test_equals_the_reference(part, isa, tmp_path):
    check(partial(cross_product, 5, part), isa, tmp_path)
