"""Networks are measured until their times are precise, on devices whose times and faults are known."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from b2nn_tvm.deploy.devices.bursts import REFERENCE, Burst, RoundEnd
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.latency import interleave
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.effort import Effort
from b2nn_tvm.deploy.latency.interleave import (
    FIRST_ROUNDS,
    SESSION_ROUNDS,
    WATCH_MS,
    WATCH_SESSIONS,
    digest_of,
    time_together,
    watch_reference,
)
from b2nn_tvm.errors import DeviceLost

REFERENCE_MS = 4.0
NETWORKS = {"quick": 1.0, "slow": 9.0}


class Device:
    """A machine whose networks take their given milliseconds, the slow one in each session others.

    It is lost after ``until`` bursts, and ``boards`` more take over.
    """

    def __init__(self, *, wavering: bool = False, until: int = 10**9, boards: int = 0) -> None:
        self.wavering, self.until, self.boards, self.asked = wavering, until, boards, []
        self.has_replacements = boards > 0

    def interleave(self, artifacts, *, reference, threads, settings) -> Iterator[Burst | RoundEnd]:
        self.asked.append(([artifact.name for artifact in artifacts], settings))
        for index in range(settings.rounds):
            yield self._burst(index, REFERENCE, REFERENCE_MS, False)
            if not artifacts:  # as b2nn-run does
                yield self._burst(index, REFERENCE, REFERENCE_MS, False)
            for place, artifact in enumerate(artifacts):
                late = (0.9, 1.0, 1.1)[settings.seed % 3] if self.wavering and artifact.name == "slow" else 1.0
                yield self._burst(index, place, late * NETWORKS[artifact.name], settings.profiled)
                yield self._burst(index, REFERENCE, REFERENCE_MS, False)
            yield RoundEnd(index, 50.0, 50.0, 50.0, 0.0, 0, None, "")

    def _burst(self, index: int, network: int, ms: float, profiled: bool) -> Burst:
        self.until -= 1
        if self.until == 0:
            self.until = 10**9
            raise DeviceLost("the cable")
        return Burst(index, network, () if profiled else (ms,), ((ms,),) if profiled else (), ms, ms, 0)


def measured(device: Device, record: BurstRecord, *, notes: list | None = None, **options) -> list[tuple]:
    heard: list[tuple] = []
    time_together(
        {name: SimpleNamespace(name=name) for name in NETWORKS},
        reference=SimpleNamespace(name="reference"),
        device=device,
        threads=1,
        record=record,
        note=None if notes is None else notes.append,
        progress=lambda *call: heard.append(call),
        **options,
    )
    return heard


def test_steady_networks_need_the_first_rounds_only() -> None:
    device, record = Device(), BurstRecord("reference", {})
    heard = measured(device, record, phase="mine")
    assert [names for names, _ in device.asked] == [["quick", "slow"]] * (FIRST_ROUNDS // SESSION_ROUNDS)
    assert [record.estimate(name).ms for name in NETWORKS] == pytest.approx([1.0, 9.0])
    assert heard[-1] == ("mine", 2 * FIRST_ROUNDS, 2 * FIRST_ROUNDS)


def test_only_a_network_that_is_not_precise_enough_goes_on_until_the_most() -> None:
    device, record = Device(wavering=True), BurstRecord("reference", {})
    heard = measured(device, record, effort=Effort(most=20), phase="mine")
    assert [names for names, _ in device.asked][2:5] == [["quick", "slow"], ["slow"], ["slow"]]
    again = {call for call in heard if call[-1] == "1 of 2 once more, for precision"}
    assert again == {("mine", 2 * FIRST_ROUNDS - 1, 2 * FIRST_ROUNDS, "1 of 2 once more, for precision")}
    assert heard[-1] == ("mine", 2 * FIRST_ROUNDS, 2 * FIRST_ROUNDS)  # not done before it is
    assert all(done < total for _, done, total, *_ in heard[:-1])
    assert {settings.rounds for _, settings in device.asked} == {SESSION_ROUNDS}
    assert record.bursts("quick") == FIRST_ROUNDS and record.bursts("slow") == 20
    assert record.estimate("slow").precision > 0.02


def test_a_time_that_has_to_hold_takes_more_sessions_however_steady_it_is() -> None:
    device, record = Device(), BurstRecord("reference", {})
    heard = measured(device, record, effort=Effort(least=20), phase="mine")
    assert [record.bursts(name) for name in NETWORKS] == [20, 20] and len(device.asked) == 20 // SESSION_ROUNDS
    assert heard[-1] == ("mine", 40, 40)


def test_what_was_measured_is_not_measured_again(tmp_path) -> None:
    measured(Device(), BurstRecord("reference", {}, folder=tmp_path))
    device = Device()
    measured(device, BurstRecord("reference", {}, folder=tmp_path))
    assert device.asked == []
    measured(device, BurstRecord("reference", {}, folder=tmp_path), effort=Effort(runs=FIRST_ROUNDS + 1))
    assert [settings.rounds for _, settings in device.asked] == [SESSION_ROUNDS]


def test_profiled_bursts_are_counted_apart() -> None:
    device, record = Device(), BurstRecord("reference", {})
    measured(device, record, profiled=True)
    assert record.bursts("quick") == 0 and record.bursts("quick", profiled=True) == FIRST_ROUNDS
    assert record.estimate_layers("slow", ["conv"])["conv"].ms == pytest.approx(9.0)


def test_a_lost_device_keeps_what_came_and_a_later_call_goes_on(tmp_path) -> None:
    with pytest.raises(DeviceLost, match="the cable"):
        measured(Device(until=12), BurstRecord("reference", {}, folder=tmp_path))
    record = BurstRecord("reference", {}, folder=tmp_path)
    kept = record.bursts("quick")
    assert 0 < kept < FIRST_ROUNDS
    device = Device()
    measured(device, record)
    assert sum(settings.rounds for _, settings in device.asked) < FIRST_ROUNDS
    assert FIRST_ROUNDS <= record.bursts("quick") < FIRST_ROUNDS + SESSION_ROUNDS


def test_a_settled_network_stays_settled_while_others_go_on(monkeypatch) -> None:
    """Bursts of other networks move the reference's level, so that a settled network may seem disturbed later."""
    device, record = Device(wavering=True), BurstRecord("reference", {})
    known = interleave.settled

    def moves(record, name, *, effort, profiled=False) -> bool:
        if name == "quick":
            return record.bursts("quick") >= FIRST_ROUNDS and record.bursts("slow") < FIRST_ROUNDS + 2 * SESSION_ROUNDS
        return known(record, name, effort=effort, profiled=profiled)

    monkeypatch.setattr(interleave, "settled", moves)
    measured(device, record, effort=Effort(most=20))
    assert [names for names, _ in device.asked][2:5] == [["quick", "slow"], ["slow"], ["slow"]]
    assert record.bursts("quick") == FIRST_ROUNDS and record.bursts("slow") >= 20


def test_another_board_takes_over_and_is_named() -> None:
    notes: list[str] = []
    device, record = Device(until=12, boards=1), BurstRecord("reference", {})
    measured(device, record, notes=notes)
    assert notes == ["the cable; another board goes on"] and record.bursts("quick") >= FIRST_ROUNDS
    assert record.estimate("slow").ms == pytest.approx(9.0)


def test_the_reference_is_watched_alone_for_seconds() -> None:
    device, record = Device(), BurstRecord("reference", {})
    watch_reference(SimpleNamespace(name="reference"), device=device, threads=1, record=record)
    assert [names for names, _ in device.asked] == [[]] * WATCH_SESSIONS
    rounds = sum(settings.rounds for _, settings in device.asked)
    assert (
        rounds == WATCH_MS / (2 * device.asked[0][1].burst_ms)
        and record.reference_bursts() == 2 * rounds
        and record.reference_estimate().ms == REFERENCE_MS
    )


def test_a_watch_of_the_reference_goes_on_where_it_stopped(tmp_path) -> None:
    watch = lambda device: watch_reference(
        SimpleNamespace(name="reference"),
        device=device,
        threads=1,
        record=BurstRecord("reference", {}, folder=tmp_path),
    )
    with pytest.raises(DeviceLost, match="the cable"):
        watch(Device(until=101))
    second, third = Device(), Device()
    watch(second)
    rounds = sum(settings.rounds for _, settings in second.asked)
    assert rounds == WATCH_MS / (2 * second.asked[0][1].burst_ms) - 100 // 2
    watch(third)
    assert third.asked == []


def test_real_networks_side_by_side(family) -> None:
    names = {digest_of(artifact): artifact for artifact in family[:2]}
    record = BurstRecord(digest_of(family[0]), {})
    effort = Effort(precision=0.5, burst_ms=1.0)
    time_together(names, reference=family[0], device=LocalDevice(), threads=1, record=record, effort=effort)
    assert all(record.bursts(name) >= FIRST_ROUNDS and record.estimate(name).ms > 0 for name in names)


def test_real_networks_beside_two_references(family) -> None:
    """The second one is measured among the networks as well, as it is in a search."""
    names = {digest_of(artifact): artifact for artifact in family[1:3]}
    record = BurstRecord(digest_of(family[0]), {}, second=digest_of(family[1]))
    both, device = {"reference": family[0], "second": family[1]}, LocalDevice()
    watch_reference(**both, device=device, threads=1, record=record, burst_ms=100.0)
    watched = record.reference_bursts()
    assert watched >= 16 and record.bursts(digest_of(family[1])) == 0
    effort = Effort(precision=0.5, burst_ms=1.0)
    time_together(names, **both, device=device, threads=1, record=record, effort=effort, profiled=True)
    assert all(record.bursts(name, profiled=True) >= FIRST_ROUNDS for name in names)
    time_together(names, **both, device=device, threads=1, record=record, effort=effort)
    assert all(record.bursts(name) >= FIRST_ROUNDS and record.estimate(name).ms > 0 for name in names)
    assert record.reference_bursts() > watched and record.second_estimate().ms > 0
