"""Binary layers at the corners, compiled, equal reference.py bit for bit: the largest sums, odd shapes, dense
layers.
"""

import pytest

from tests.support.exactness.check import INSTRUCTION_SETS, check
from tests.support.exactness.networks import dense, large_sums, rectangles


@pytest.mark.in_turn("isa")
@pytest.mark.parametrize("isa", INSTRUCTION_SETS)
@pytest.mark.parametrize("network", [large_sums, rectangles, dense], ids=lambda function: function.__name__)
def test_equals_the_reference(network, isa, tmp_path):
    check(network, isa, tmp_path)
