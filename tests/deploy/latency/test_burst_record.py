"""Bursts are kept as they come, and what a killed program left counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from b2nn_tvm.deploy.devices.bursts import REFERENCE, Burst, RoundEnd
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.burst_times import Estimate
from b2nn_tvm.errors import InputError

ORIGIN = {"device": "a board", "threads": 1}


def burst(network: int, *run_ms: float, steps: tuple[tuple[float, ...], ...] = ()) -> Burst:
    return Burst(0, network, run_ms, steps, sum(run_ms), sum(run_ms), 0)


def session(record: BurstRecord, rounds: int = 6) -> None:
    """Two networks of 2 and 3 ms between bursts of a reference of 4 ms."""
    record.begin(["two", "three"])
    for index in range(rounds):
        record.add(burst(REFERENCE, 4.0))
        for network, ms in ((1, 3.0), (0, 2.0)):
            record.add(burst(network, ms, 2 * ms))
            record.add(burst(REFERENCE, 4.0, 8.0))
        record.add(RoundEnd(index, 30.0, 29.0, 29.0, 0.0, 1500, 50.0, ""))
    record.end()


def test_networks_are_told_apart_and_timed_in_milliseconds_of_the_reference() -> None:
    session(record := BurstRecord("four", ORIGIN))
    assert [record.estimate(name).ms for name in ("two", "three", "four")] == pytest.approx([2.0, 3.0, 4.0])
    assert [record.bursts(name) for name in ("two", "three")] == [6, 6]
    assert record.inferences("two") == 12 and record.inferences("four") == 6 * 5
    assert record.runs("three").tolist() == [3.0, 6.0] * 6 and len(record.rounds) == 6


def test_layers_are_sums_of_their_steps() -> None:
    record = BurstRecord("four", ORIGIN)
    record.begin(["two"])
    for _ in range(6):
        record.add(burst(REFERENCE, 4.0))
        record.add(burst(0, steps=((0.5, 0.25, 1.0), (5.0, 2.5, 10.0))))
        record.add(burst(REFERENCE, 4.0))
    record.end()
    found = record.estimate_layers("two", ["conv1", "conv2", "conv1"])
    assert {name: layer.ms for name, layer in found.items()} == pytest.approx({"conv1": 1.5, "conv2": 0.25})
    assert record.bursts("two") == 0 and record.bursts("two", profiled=True) == 6
    assert record.steps("two").shape == (12, 3)


def test_another_record_goes_on_where_one_stopped(tmp_path: Path) -> None:
    session(BurstRecord("four", ORIGIN, folder=tmp_path))
    again = BurstRecord("four", ORIGIN, folder=tmp_path)
    assert again.bursts("two") == 6 and again.estimate("two").ms == pytest.approx(2.0)
    session(again, 2)
    (path,) = tmp_path.iterdir()
    assert path == again.path and BurstRecord("four", ORIGIN, folder=tmp_path).bursts("three") == 8
    for other in (BurstRecord("five", ORIGIN, folder=tmp_path), BurstRecord("four", {}, folder=tmp_path)):
        assert other.bursts("two") == 0 and other.path != path


@pytest.mark.parametrize("cut", [1, 30, 150, 210, 330, 480])
def test_a_program_that_is_killed_loses_the_line_that_it_was_writing(tmp_path: Path, cut: int) -> None:
    session(BurstRecord("four", ORIGIN, folder=tmp_path))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    left = whole[:-cut].count(b"\n")
    record = BurstRecord("four", ORIGIN, folder=tmp_path)
    assert path.read_bytes().count(b"\n") == left and path.read_bytes() == b"".join(whole.splitlines(True)[:left])
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    kept = sum("network" in row and row["network"] == 0 for row in rows)
    assert record.bursts("two") == kept > 0 and record.estimate("two").ms == pytest.approx(2.0)
    session(record)
    assert BurstRecord("four", ORIGIN, folder=tmp_path).bursts("two") == kept + 6


def test_another_file_is_refused(tmp_path: Path) -> None:
    session(record := BurstRecord("four", ORIGIN, folder=tmp_path))
    text = record.path.read_text()
    record.path.write_text(text.replace('"a board"', '"another board"'))
    with pytest.raises(InputError, match=r"expected a record of .*'a board'.* 'another board'.*remove the file"):
        BurstRecord("four", ORIGIN, folder=tmp_path)
    record.path.write_text("no JSON\n")
    with pytest.raises(InputError, match="expected one JSON object per line"):
        BurstRecord("four", ORIGIN, folder=tmp_path)


def test_a_settled_reference_is_the_unit_of_all_times() -> None:
    session(record := BurstRecord("four", ORIGIN))
    record.settle_reference(Estimate(8.0, 7.9, 8.1, 30, 30))
    assert record.reference_estimate().ms == record.estimate("four").ms == 8.0
    assert [record.estimate(name).ms for name in ("two", "three")] == pytest.approx([4.0, 6.0])
    assert record.estimate("two").quiet == 6 and record.reference_bursts() == 18


def test_a_slow_hour_is_seen_by_the_bursts_around() -> None:
    """First forty rounds at full speed, then as many at nine tenths of it: all of them count."""
    record = BurstRecord("four", ORIGIN)
    for slow in (1.0, 1.1):
        record.begin(["two"])
        for _ in range(200):
            record.add(burst(REFERENCE, 4.0 * slow))
            record.add(burst(0, 2.0 * slow))
        record.add(burst(REFERENCE, 4.0 * slow))
        record.end()
    found = record.estimate("two")
    assert found.ms == pytest.approx(2.0) and found.bursts == 400 and found.quiet > 300


def beside_two(record: BurstRecord, rounds: int = 6) -> None:
    """A network of 3 ms, mostly for weights, beside references of 4 and 1 ms, while memory gets slower."""
    record.begin(["mixed"])
    for index in range(rounds):
        slow = 1 + index / 10
        for network, ms in (
            (REFERENCE, 4.0 * slow),
            (1, 1.0),
            (0, 1.0 + 2.0 * slow),
            (REFERENCE, 4.0 * slow),
            (1, 1.0),
        ):
            record.add(burst(network, ms))
    record.end()


def test_beside_two_references_a_network_is_a_mixture(tmp_path: Path) -> None:
    record = BurstRecord("streaming", ORIGIN, second="light", folder=tmp_path)
    beside_two(record)
    record.settle_reference(Estimate(4.0, 3.9, 4.1, 9, 9), Estimate(1.0, 0.9, 1.1, 9, 9))
    assert record.estimate("mixed").ms == pytest.approx(3.0, rel=1e-3)
    assert record.bursts("mixed") == 6 and record.reference_bursts() == 12 and record.inferences("light") == 12
    again = BurstRecord("streaming", ORIGIN, second="light", folder=tmp_path)
    assert (again.reference_bursts(), again.bursts("mixed"), again.second_estimate().ms) == (12, 6, 1.0)
    alone = BurstRecord("streaming", ORIGIN, folder=tmp_path)
    assert alone.bursts("mixed") == 0 and alone.path != again.path and alone.second_estimate() is None


def test_layers_beside_two_references_are_mixtures_each() -> None:
    record = BurstRecord("streaming", ORIGIN, second="light")
    record.begin(["mixed"])
    for index in range(6):
        slow = 1 + index / 10
        record.add(burst(REFERENCE, 4.0 * slow))
        record.add(burst(1, 1.0))
        record.add(burst(0, steps=((0.5, 2.0 * slow, 0.25),)))
        record.add(burst(REFERENCE, 4.0 * slow))
        record.add(burst(1, 1.0))
    record.end()
    record.settle_reference(Estimate(4.0, 3.9, 4.1, 9, 9), Estimate(1.0, 0.9, 1.1, 9, 9))
    found = record.estimate_layers("mixed", ["conv1", "conv2", "conv1"])
    assert {name: layer.ms for name, layer in found.items()} == pytest.approx({"conv1": 0.75, "conv2": 2.0}, rel=1e-3)


def test_a_second_reference_that_never_came_leaves_a_burst_without_an_end(tmp_path: Path) -> None:
    record = BurstRecord("streaming", ORIGIN, second="light", folder=tmp_path)
    record.begin(["mixed"])
    record.add(burst(REFERENCE, 4.0))
    assert record.reference_bursts() == 0
    record.add(burst(1, 1.0))
    record.add(burst(0, 3.0))
    record.add(burst(REFERENCE, 4.0))
    record.end()
    assert record.reference_bursts() == 1 and record.bursts("mixed") == 1
    beside_two(record)
    assert record.estimate("mixed").bursts == 7
