"""Tuning measures tiles on this machine, keeps the fastest, saves each record as it comes and resumes."""

import logging

import pytest
import tvm
from tvm import te, topi
from tvm.s_tir import Schedule

from b2nn_tvm.errors import TargetError
from b2nn_tvm.ops.pack_signs import pack_signs
from b2nn_tvm.schedules.anchor import find_anchor
from b2nn_tvm.schedules.schedule_module import apply_tile, candidates, vector_unit_named
from b2nn_tvm.schedules.tiles import tile_records as records_module
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.tile_records import Record, Records, load_records, read_records
from b2nn_tvm.schedules.tuning.metaschedule import HereBench
from b2nn_tvm.schedules.tuning.tune import tune_function, tune_module
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.functions import binary_conv, float_conv, winograd

WORKLOAD = ConvWorkload(1, 16, 6, 4, 32, (3, 3), padding=(1, 1, 1, 1))
OTHER = ConvWorkload(1, 32, 6, 4, 32, (1, 1))


def tiles_of(function, target, count):
    return candidates(find_anchor(Schedule(function)), vector_unit_named(target.vector))[:count]


@pytest.mark.parametrize("make", [binary_conv, float_conv, winograd])
def test_each_tile_is_measured_and_the_fastest_kept(make, native):
    function = make(WORKLOAD, vector_unit_named(native.vector).layout)
    tiles = tiles_of(function, native, 4)
    times = []
    tile, seconds = tune_function(function, tiles, target=native, measured=times.append)
    assert tile in tiles and len(times) == len(tiles) == 4
    assert 1e-8 < min(times) == pytest.approx(seconds)
    assert max(times) < 1e-3


def code_size(library: tvm.runtime.Module) -> float:
    return float(len(library.inspect_source("ll")))


class SizeBench(HereBench):
    """A bench that gives the size of a trial's code for its time."""

    def time(self, trials):
        return ((index, code_size(library)) for index, (library, _) in enumerate(trials))


def test_the_tile_is_read_from_the_fastest_trial(native):
    """With the code's size for its time, the outcome is known: each tile is tried, and the smallest, which comes
    last, wins.
    """
    function = binary_conv(WORKLOAD, vector_unit_named(native.vector).layout)
    tiles = tiles_of(function, native, 6)
    expected = {}
    for tile in tiles:
        sch = Schedule(function.with_attr("global_symbol", "main"))
        apply_tile(sch, find_anchor(sch), tile, vector_unit=vector_unit_named(native.vector))
        expected[tile] = code_size(tvm.tirx.build(sch.mod, target=native.tvm_target()))
    tiles = sorted(expected, key=expected.__getitem__, reverse=True)
    smallest = tiles[-1]
    assert len(set(expected.values())) == len(tiles)
    sizes = []
    tile, size = tune_function(
        function, tiles, target=native, measured=sizes.append, bench=SizeBench(repeats=1, seconds=0)
    )
    assert tile == smallest and abs(size / expected[smallest] - 1) < 0.02
    assert len(sizes) == len(tiles)


def failing_build(monkeypatch, fails):
    build, count = tvm.tirx.build, 0

    def sometimes(*arguments, **options):
        nonlocal count
        count += 1
        if fails(count):
            raise tvm.error.InternalError("out of registers")
        return build(*arguments, **options)

    monkeypatch.setattr(tvm.tirx, "build", sometimes)


def test_a_tile_that_cannot_be_built_is_passed_over(native, monkeypatch):
    function = float_conv(WORKLOAD, vector_unit_named(native.vector).layout)
    failing_build(monkeypatch, lambda count: count % 2)
    times = []
    _tile, seconds = tune_function(function, tiles_of(function, native, 4), target=native, measured=times.append)
    assert times.count(None) == 2 and seconds < 1e-3


def test_if_none_can_be_built_that_is_said(native, monkeypatch):
    function = float_conv(WORKLOAD, vector_unit_named(native.vector).layout)
    failing_build(monkeypatch, lambda count: True)
    with pytest.raises(TargetError, match="none of 3 tiles .* without --tune"):
        tune_function(function, tiles_of(function, native, 3), target=native, measured=lambda seconds: None)


def test_an_application_keeps_its_logging(native):
    """MetaSchedule would refuse the handler without a name, and keep files open in handlers of its own."""
    logger, handler = logging.getLogger("tvm.s_tir.meta_schedule"), logging.NullHandler()
    function = float_conv(WORKLOAD, vector_unit_named(native.vector).layout)
    logger.addHandler(handler)
    before = logger.handlers[:], logger.propagate, logger.level
    try:
        tune_function(function, tiles_of(function, native, 1), target=native, measured=lambda seconds: None)
        assert (logger.handlers, logger.propagate, logger.level) == before
        others = logging.root.manager.loggerDict.items()
        tasks = [its for name, its in others if name.startswith(f"{logger.name}.logging.task")]
        assert tasks and not any(its.handlers for its in tasks)
    finally:
        logger.removeHandler(handler)


def module_of(layout) -> tvm.IRModule:
    """Two convolutions, one of them twice, and two functions that have no tile."""
    x = te.placeholder((1, 4, 4, 8), name="x")
    return tvm.IRModule(
        {
            "binary": binary_conv(WORKLOAD, layout),
            "again": binary_conv(WORKLOAD, layout),
            "float": float_conv(OTHER, layout),
            "relu": te.create_prim_func([x, topi.nn.relu(x)]),
            "pack": pack_signs((1, 4, 4, 8), (0, 0, 0, 0), word=layout.word, pad_value=0),
        }
    )


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch, tmp_path):
    monkeypatch.setattr(records_module, "SHIPPED", tmp_path / "shipped")


def tune(native, path, progress, trials=2, records=None):
    vector_unit = vector_unit_named(native.vector)
    return tune_module(
        module_of(vector_unit.layout),
        target=native,
        trials=trials,
        path=path,
        records=records or load_records(vector_unit.name, path),
        device="this CPU",
        progress=progress,
    )


def test_a_module_is_tuned_once(native, tmp_path):
    path = tmp_path / "cache" / "records.json"
    calls = []
    tuned = tune(native, path, lambda *call: calls.append(call))
    assert len(tuned.rows) == 2 and load_records(tuned.vector_unit, path) == tuned
    assert {(row.workload, row.device) for row in tuned.rows.values()} == {
        (w.key, "this CPU") for w in (WORKLOAD, OTHER)
    }
    assert all(0 < row.ms < 1 for row in tuned.rows.values())
    phases = list(dict.fromkeys(phase for phase, _, _ in calls))
    assert [phase.split(":")[0] for phase in phases] == ["tune 1 of 2", "tune 2 of 2"]
    assert [call[1:] for call in calls] == [(0, 2), (1, 2), (2, 2)] * 2
    content = path.read_bytes()
    assert tune(native, path, lambda *call: pytest.fail("measured again")) == tuned
    assert path.read_bytes() == content


def test_only_what_was_measured_here_is_saved(native, tmp_path):
    vector_unit = vector_unit_named(native.vector)
    shipped = Record("dense", "dense_n1_k8_o8", 16, Tile(1, 1, 1), 1.0, "another CPU")
    Records(vector_unit.name).with_record(shipped).save(tmp_path / "shipped" / f"{vector_unit.name}.json")
    tuned = tune(native, tmp_path / "mine.json", lambda *call: None)
    assert len(tuned.rows) == 3
    assert {row.device for row in read_records(vector_unit.name, tmp_path / "mine.json").rows.values()} == {"this CPU"}


def test_an_interrupted_tuning_goes_on_where_it_stopped(native, tmp_path):
    path, calls = tmp_path / "records.json", []

    def interrupt(phase, done, total):
        if phase.startswith("tune 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(native, path, interrupt)
    saved = load_records(vector_unit_named(native.vector).name, path)
    assert len(saved.rows) == 1
    tuned = tune(native, path, lambda *call: calls.append(call))
    assert len(tuned.rows) == 2 and saved.rows.items() <= tuned.rows.items()
    assert {phase.split(":")[0] for phase, _, _ in calls} == {"tune 1 of 1"}


def test_a_target_of_another_machine_cannot_be_tuned(tmp_path):
    foreign = next(info for info in map(get, ("arm", "x86")) if info.missing)
    vector_unit = vector_unit_named(foreign.vector)
    with pytest.raises(
        TargetError, match=f"target {foreign.name} cannot be tuned on this machine, which lacks .*--tune"
    ):
        tune_module(
            module_of(vector_unit.layout),
            target=foreign,
            records=Records(vector_unit.name),
            trials=1,
            path=tmp_path / "records.json",
            device="this CPU",
        )
    assert not list(tmp_path.iterdir())
