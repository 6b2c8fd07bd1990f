"""Binary layers at the corners, compiled, equal reference.py bit for bit: the largest sums, odd shapes, dense
layers.
"""

import pytest

from tests.support.exactness.check import INSTRUCTION_SETS, check
from tests.support.exactness.networks import dense, large_sums, rectangles
from tests.support.sweep import in_turn


@pytest.mark.parametrize(("network", "isa"), in_turn([large_sums, rectangles, dense], INSTRUCTION_SETS))
def test_equals_the_reference(network, isa, tmp_path):
    check(network, isa, tmp_path)
