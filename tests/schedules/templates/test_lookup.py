"""Binary convolutions by table look-up: the inner loops that LLVM makes of their tiles."""

from __future__ import annotations

import re

import pytest

from tests.support.schedules.assembly import innermost_loop, spills
from tests.support.schedules.compiled import STAGES, assembly
from tests.support.schedules.functions import binary_conv


@pytest.mark.parametrize(("isa", "register"), [("x86", "ymm"), ("x86-avx512", "zmm")])
@pytest.mark.parametrize("stage", STAGES)
def test_without_vpopcntdq_nibbles_of_two_rows_are_looked_up(stage, isa, register):
    """Nine operations for three look-ups, each of 8 MACs per filter: add twice, then add both halves and the high
    ones.
    """
    text = assembly(isa, binary_conv, STAGES[stage])
    loop = innermost_loop(text, rf"vpshufb .*%{register}")
    lookups = loop.count(rf"vpshufb .*%{register}")
    assert lookups >= 6 and lookups % 3 == 0
    assert loop.count(rf"vp(?!broadcast)\w+ .*%{register}") == 3 * lookups
    assert loop.count(rf"vpaddb .*%{register}") == 4 * lookups / 3
    assert loop.count(rf"vpsrlw .*%{register}") == loop.count(rf"vpand\w? .*%{register}") == lookups / 3
    assert loop.count(rf"vmovdq\w+ .*, %{register}\d+") <= lookups + 1
    assert spills(loop) == 0
    assert not re.search(r"\tpopcnt", text)
