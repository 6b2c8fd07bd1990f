"""Binary 1x1 convolutions, compiled, equal reference.py bit for bit with every kind of output."""

from functools import partial

import pytest

from tests.support.exactness.check import INSTRUCTION_SETS, check, instruction_set
from tests.support.exactness.networks import PARTS, chosen, cross_product


def test_chosen_layers_equal_the_reference(tmp_path):
    check(partial(chosen, 1), instruction_set(0), tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("isa", INSTRUCTION_SETS)
@pytest.mark.parametrize("part", range(PARTS))
def test_all_layers_equal_the_reference(part, isa, tmp_path):
    check(partial(cross_product, 1, part), isa, tmp_path)
