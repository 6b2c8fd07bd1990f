"""b2nn-run --quiet-ms: a network has its turn when nothing disturbs the reference, or when patience is at an end."""

from __future__ import annotations

import json
import os

import pytest

from b2nn_tvm.deploy.devices.bursts import REFERENCE
from tests.support.deploy.runner_process import start


def bursts_of(family, *words: object) -> list[int]:
    """The networks of the bursts in one round, in their order."""
    folder = family[0].folder
    command = ("--interleave", "--reference", folder, "--rounds", 1, "--burst-ms", 0.2, *words)
    done = start(folder, *command, family[1].folder, family[2].folder)
    assert (done.returncode, done.stderr) == (0, "")
    return [row["network"] for row in map(json.loads, done.stdout.splitlines()) if row["row"] == "burst"]


def test_where_every_run_is_quiet_nothing_is_repeated(family) -> None:
    quiet = bursts_of(family, "--quiet-ms", 1e6)
    assert quiet[::2] == [REFERENCE] * 3 and sorted(quiet[1::2]) == [0, 1]


def test_a_reference_that_is_never_quiet_is_repeated_until_patience_is_at_an_end(family) -> None:
    """The first network waits for the whole patience, and the second one for nothing any more."""
    loud = bursts_of(family, "--quiet-ms", 1e-6, "--patience-ms", 60)
    assert loud.count(REFERENCE) in (3, 4) and sorted(place for place in loud if place != REFERENCE) == [0, 1]
    waiting = bursts_of(family, "--quiet-ms", 1e-6, "--patience-ms", 1e-6)
    assert waiting.count(REFERENCE) == 3


def test_of_two_references_the_second_one_tells_a_quiet_moment(family) -> None:
    """One network is left to have a turn; where it waited for the second reference, both have a burst again."""
    quiet = bursts_of(family, "--second-reference", "--quiet-ms", 1e6)
    assert quiet == [REFERENCE, 1, 0, REFERENCE, 1]
    loud = bursts_of(family, "--second-reference", "--quiet-ms", 1e-6, "--patience-ms", 60)
    assert loud in ([REFERENCE, 1, 0, REFERENCE, 1], [REFERENCE, 1, REFERENCE, 1, 0, REFERENCE, 1])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot tie a program to a CPU")
def test_it_stays_on_the_cpus_that_it_may_use(family) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert len(bursts_of(family)) == 5
    finally:
        os.sched_setaffinity(0, before)
