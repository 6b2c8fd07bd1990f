"""Measurements that end soon, for tests that do not ask whether a time is the true one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from b2nn_tvm.deploy.latency import interleave
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.effort import Effort
from tests.support.paths import ROOT

BURSTS = 6
# The environment of a Python in which they do, too, from its start; so do the Pythons that it starts.
IN_CHILDREN = {"PYTHONPATH": f"{Path(__file__).parent / 'short_site'}{os.pathsep}{ROOT}"}


def shorten(change: Callable[[Any, str, Any], None] = setattr) -> None:
    """Let measurements end after BURSTS bursts of a network, or as many as are asked for, and wait for nothing.

    Where other tests keep the machine busy, hardly any burst is undisturbed: a measurement would take as many bursts
    as it may, and wait for a quiet moment in vain before each.
    """
    settled = interleave.settled

    def settled_soon(record: BurstRecord, name: str, *, effort: Effort, profiled: bool = False) -> bool:
        most = min(effort.most, max(BURSTS, effort.least))
        return settled(record, name, effort=replace(effort, most=most), profiled=profiled)

    change(interleave, "settled", settled_soon)
    change(interleave, "PATIENCE_MS", interleave.PATIENCE_MS / 100)
    change(interleave, "WATCH_MS", interleave.WATCH_MS / 10)
