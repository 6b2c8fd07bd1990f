"""What a kernel executes is counted exactly, under QEMU."""

from __future__ import annotations

import pytest

from b2nn_tvm.deploy.estimate.static_cost import execute_function
from b2nn_tvm.targets.target import get
from tests.support.deploy.estimates import loop

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("arm_board")]


@pytest.mark.parametrize("target", ["arm", "armv7"])
def test_instructions_are_counted_exactly(target):
    """Twice as many turns of a loop are as many instructions more as the next as many, on every run."""
    counts = [execute_function(loop(extent, target), get(target)).instructions for extent in (4096, 8192, 12288, 8192)]
    assert counts[1] - counts[0] == counts[2] - counts[1] > 4096 / 4
    assert counts[3] == counts[1]
