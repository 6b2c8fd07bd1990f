"""Which of many tests that assert the same are run by `make test`, and which by `make test-sweep`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from b2nn_tvm.targets.target import get


def in_turn(things: Iterable[Any], targets: Sequence[str], *, turn: int = 0) -> list[Any]:
    """The parameters (thing, target): all pairs. The targets that this machine runs take turns, from the one of number
    ``turn``. A thing's pairs with the targets whose turn it is not repeat what it asserts, so they are a sweep.

    A target that this machine does not run costs nothing, so that its tests stay where they are and say why they skip.
    """
    here = [target for target in targets if not get(target).missing]
    return [
        pytest.param(thing, target, marks=pytest.mark.sweep if target in here and target != whose else ())
        for index, thing in enumerate(things)
        for whose in [here[(index + turn) % len(here)] if here else ""]
        for target in targets
    ]
