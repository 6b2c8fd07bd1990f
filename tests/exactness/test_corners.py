"""Binary layers at the corners, compiled, equal reference.py bit for bit: the largest sums, odd shapes, dense
layers.
"""

import pytest

from tests.support.exactness.check import check, in_turn
from tests.support.exactness.networks import dense, large_sums, rectangles


@pytest.mark.parametrize(("network", "isa"), in_turn([large_sums, rectangles, dense]))
def test_equals_the_reference(network, isa, tmp_path):
    check(network, isa, tmp_path)
