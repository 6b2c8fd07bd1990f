"""Tuning records: saved and loaded whole, the user's over the shipped ones, broken files refused with a remedy."""

import json
import os

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.schedules.schedule_module import UNITS
from b2nn_tvm.schedules.tiles import tile_records as module
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.tile_records import Record, Records, load_records, read_records

FIRST = Record("conv2d", "conv2d_n1_c8", 16, Tile(2, 7, 2), 0.25, "a CPU")
SECOND = Record("bconv2d_words", "conv2d_n1_c8", 16, Tile(7, 1, 2), 0.0125, "a CPU")


def records_of(*rows: Record) -> Records:
    found = Records("avx2")
    for row in rows:
        found = found.with_record(row)
    return found


def test_saved_records_are_loaded(tmp_path):
    path = records_of(FIRST, SECOND).save(tmp_path / "new" / "avx2.json")
    loaded = load_records("avx2", path)
    assert loaded.rows == load_records("avx2").rows | records_of(FIRST, SECOND).rows
    assert loaded.tile("conv2d", "conv2d_n1_c8", 16) == Tile(2, 7, 2)


@pytest.mark.parametrize(
    "key", [("dense", "conv2d_n1_c8", 16), ("conv2d", "conv2d_n1_c9", 16), ("conv2d", "conv2d_n1_c8", 8)]
)
def test_a_record_holds_for_one_operator_workload_and_width(key):
    assert records_of(FIRST).tile(*key) is None


def test_with_record_leaves_the_records_it_was_called_on():
    before = records_of(FIRST)
    after = before.with_record(SECOND)
    assert before == records_of(FIRST) and after == records_of(FIRST, SECOND)


def test_the_file_does_not_depend_on_the_order_of_tuning(tmp_path):
    one, other = records_of(FIRST, SECOND).save(tmp_path / "a"), records_of(SECOND, FIRST).save(tmp_path / "b")
    assert one.read_bytes() == other.read_bytes()


def test_later_files_overlay_earlier_and_shipped_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "shipped")
    faster = Record("conv2d", "conv2d_n1_c8", 16, Tile(1, 1, 1), 0.1, "this CPU")
    records_of(FIRST, SECOND).save(tmp_path / "shipped" / "avx2.json")
    mine = records_of(faster).save(tmp_path / "mine.json")
    assert load_records("avx2") == records_of(FIRST, SECOND)
    assert load_records("avx2", tmp_path / "absent.json", mine) == records_of(faster, SECOND)


def test_a_measurement_takes_the_place_of_an_estimate_and_not_the_other_way(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "shipped")
    estimate = Record(
        "conv2d", "conv2d_n1_c8", 16, Tile(4, 4, 1), None, "cortex-a72", 12345, "cycles (static estimate), not measured"
    )
    records_of(estimate, SECOND).save(tmp_path / "shipped" / "avx2.json")
    (row,) = [
        row for row in json.loads((tmp_path / "shipped" / "avx2.json").read_text())["records"] if row["op"] == "conv2d"
    ]
    assert "ms" not in row and (row["estimate"], row["unit"]) == (12345, "cycles (static estimate), not measured")
    shipped = load_records("avx2")
    assert shipped == records_of(estimate, SECOND)
    assert shipped.tile("conv2d", "conv2d_n1_c8", 16) == Tile(4, 4, 1) and not shipped.measured(
        "conv2d", "conv2d_n1_c8", 16
    )
    assert shipped.with_record(FIRST) == records_of(FIRST, SECOND) == records_of(FIRST, SECOND).with_record(estimate)
    assert load_records("avx2", records_of(FIRST).save(tmp_path / "mine.json")) == records_of(FIRST, SECOND)
    later = records_of(estimate).save(tmp_path / "later.json")
    assert load_records("avx2", tmp_path / "mine.json", later) == records_of(FIRST, SECOND)


def test_without_files_there_are_no_records(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHIPPED", tmp_path)
    assert load_records("neon", tmp_path / "absent.json") == Records("neon")


@pytest.mark.parametrize("name", UNITS)
def test_the_shipped_records_can_be_loaded(name):
    assert load_records(name).vector_unit == name


def broken(change) -> str:
    row = {"op": "conv2d", "workload": "w", "lanes": 8, "tile": [1, 1, 1], "ms": 0.5, "device": "a CPU"}
    document = {"kind": "b2nn-schedule-records", "format_version": 1, "tool_version": "0", "vector_unit": "avx2"}
    document["records"] = [row]
    change(document)
    return json.dumps(document)


BROKEN = {
    "cut off": ("{", "cannot be read"),
    "a list": ("[]", "kind"),
    "of another kind": (broken(lambda d: d.update(kind="b2nn-plan")), "'b2nn-plan'"),
    "of a later version": (broken(lambda d: d.update(format_version=2)), "format version 1"),
    "without records": (broken(lambda d: d.pop("records")), "records"),
    "without a tile": (broken(lambda d: d["records"][0].pop("tile")), "records/0.*tile"),
    "with a flat tile": (broken(lambda d: d["records"][0].update(tile=[1, 1])), "records/0/tile"),
    "with a tile of nothing": (broken(lambda d: d["records"][0].update(tile=[1, 0, 1])), "records/0/tile"),
    "with no time": (broken(lambda d: d["records"][0].update(ms=0)), "records/0/ms"),
    "of another vector unit": (broken(lambda d: d.update(vector_unit="neon")), "'avx2'.*'neon'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused(name, tmp_path):
    text, message = BROKEN[name]
    path = tmp_path / "records.json"
    path.write_text(text)
    with pytest.raises(InputError, match=f"records.json: .*{message}"):
        load_records("avx2", path)


def test_a_folder_that_may_not_be_looked_into_has_no_records(monkeypatch, tmp_path):
    """As the home of root for another user; the system then refuses to say whether there is such a file."""

    def refused(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refused)
        found = read_records("avx2", tmp_path / "avx2.json")
    assert found.rows == {}
