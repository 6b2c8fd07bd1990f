"""The references' times are settled once, kept on disk, and settled anew where they were not undisturbed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from b2nn_tvm.deploy.devices.bursts import REFERENCE, Burst
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.loop.measuring import second_reference as module
from b2nn_tvm.loop.measuring.settle_references import (
    SettledAnew,
    level_inputs,
    reference_inputs,
    settle_references,
    until_settled,
)
from tests.support.loop.small_job import NAMES, small_job

STREAMING_MS, LIGHT_MS = 30.0, 10.0
FACTS = SimpleNamespace(name="a board", board="", cpu="a CPU", system="a system")


class Device:
    """A board on which both references are slower by the factor ``slow``."""

    def __init__(self, slow: float = 1.0) -> None:
        self.slow, self.sessions = slow, 0

    def describe(self) -> SimpleNamespace:
        return FACTS

    def interleave(self, artifacts, *, reference, threads, settings) -> Iterator[Burst]:
        self.sessions += 1
        assert settings.second_reference == (len(artifacts) == 1)
        for index in range(settings.rounds):
            for _ in range(2):
                for network, ms in ((REFERENCE, STREAMING_MS), (0, LIGHT_MS))[: 1 + len(artifacts)]:
                    took = ms * self.slow
                    yield Burst(index, network, (took,), (), took, took, 0)


def watch_for(record: BurstRecord, device: Device) -> None:
    """Twenty more rounds of both references on ``device``."""
    record.begin([])
    settings = SimpleNamespace(rounds=20, second_reference=True)
    for row in device.interleave([None], reference=None, threads=1, settings=settings):
        record.add(row)
    record.end()


def settled(
    folder: Path, device: Device, *, second: bool = True, keeps_levels: bool = False
) -> tuple[BurstRecord, dict]:
    job = replace(small_job(folder / "state"), keeps_levels=keeps_levels)
    record = BurstRecord("float", {}, second="light" if second else "", folder=folder)
    light = SimpleNamespace() if second else None
    settle_references(job, record, SimpleNamespace(), light, device)
    kept = folder / "state" / "times" / "reference" / "phase.json"
    return record, json.loads(kept.read_text(encoding="utf-8"))["result"]


def test_both_are_watched_once(tmp_path: Path) -> None:
    device = Device()
    for _ in range(2):
        record, kept = settled(tmp_path, device)
        assert (record.reference_estimate().ms, record.second_estimate().ms) == (STREAMING_MS, LIGHT_MS)
        assert level_inputs(kept) == {"float_ms": STREAMING_MS, "second_ms": LIGHT_MS}
    assert device.sessions == 4


def test_one_is_kept_as_it_was_before_there_were_two(tmp_path: Path) -> None:
    record, kept = settled(tmp_path, Device(), second=False)
    assert record.second_estimate() is None and level_inputs(kept) == {"float_ms": STREAMING_MS}
    assert set(kept) == {"ms", "low_ms", "high_ms", "bursts", "quiet"}


def test_what_was_settled_on_a_busy_machine_is_settled_anew(tmp_path: Path) -> None:
    record, _ = settled(tmp_path, Device(slow=1.3))
    assert record.second_estimate().ms == pytest.approx(1.3 * LIGHT_MS)
    watch_for(record, Device())
    with pytest.raises(SettledAnew):
        settled(tmp_path, Device())
    again, kept = settled(tmp_path, Device())
    assert level_inputs(kept) == {"float_ms": STREAMING_MS, "second_ms": LIGHT_MS}
    assert again.second_estimate().ms == LIGHT_MS


def test_a_job_may_keep_what_was_settled(tmp_path: Path) -> None:
    record, before = settled(tmp_path, Device(slow=1.3))
    watch_for(record, Device())
    again, kept = settled(tmp_path, Device(), keeps_levels=True)
    assert kept == before and again.second_estimate().ms == pytest.approx(1.3 * LIGHT_MS)


def test_work_is_done_again_until_nothing_is_settled_anew() -> None:
    news, told = [SettledAnew(), SettledAnew()], []

    def work() -> str:
        if news:
            raise news.pop()
        return "done"

    assert until_settled(work, lambda: told.append("again")) == "done" and told == ["again"] * 2


def test_times_beside_two_references_are_no_times_beside_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = small_job(tmp_path / "state")
    one = reference_inputs(job, ["a board"])
    monkeypatch.setattr(module, "OWN_CACHE_BYTES", 0)
    assert reference_inputs(job, ["a board"]) == {**one, "second": list(NAMES)}
