"""Measure the tiles of each convolution with MetaSchedule and keep the fastest.

The design space of a function is this project's own schedule with the tile as its one sampled decision. A trial is
built and timed like any trial of MetaSchedule; the decision is read back from the trace of each trial.
"""

from __future__ import annotations

import itertools
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from b2nn_tvm.errors import TargetError
from b2nn_tvm.progress import Progress, as_progress
from b2nn_tvm.schedules.anchor import Anchor, find_anchor
from b2nn_tvm.schedules.schedule_module import apply_tile, candidates, vector_unit_named
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.tile_records import Record, Records, read_records
from b2nn_tvm.schedules.tuning.metaschedule import Bench, HereBench, bench_parts
from b2nn_tvm.schedules.units.vector_unit import VectorUnit
from b2nn_tvm.targets.target import TargetInfo
from b2nn_tvm.words.number_of import number_of

REPEATS, SECONDS = 5, 0.03  # per trial
FAILED_SECONDS = 1e10  # MetaSchedule notes this time for a trial that could not be built


def tune_module(
    module: tvm.IRModule,
    *,
    target: TargetInfo,
    records: Records,
    trials: int,
    path: Path,
    device: str,
    bench: Bench | None = None,
    progress: Progress | None = None,
) -> Records:
    """Tune each convolution of an unscheduled module that was not measured yet, with up to ``trials`` trials each; a
    ``bench`` that estimates leaves out convolutions with an estimate, too.

    Each result is saved to ``path`` at once, so that an interrupted run goes on where it stopped; ``device`` is written
    into the records. Without a ``bench`` this machine measures. Raises TargetError where it cannot run the target's
    code.
    """
    if bench is None and target.missing:
        raise TargetError(
            f"target {target.name} cannot be tuned on this machine, which lacks {', '.join(target.missing)}; name the"
            " board with --device, let --device static estimate, or compile without --tune for its default tiles"
        )
    vector_unit = vector_unit_named(target.vector)
    open_tasks = list(tasks(module, vector_unit, records, estimates_suffice=bench is not None and bool(bench.unit)))
    for index, (function, anchor, tiles) in enumerate(open_tasks):
        count = min(trials, len(tiles))
        measured = _counter(
            as_progress(progress), f"tune {index + 1} of {len(open_tasks)}: {anchor.op} {anchor.workload}", count
        )
        tile, cost = tune_function(function, tiles[:count], target=target, measured=measured, bench=bench)
        record = record_of(anchor, tile, cost, device=device, unit=bench.unit if bench else "")
        records = records.with_record(record)
        read_records(vector_unit.name, path).with_record(record).save(path)
    return records


def record_of(anchor: Anchor, tile: Tile, cost: float, *, device: str, unit: str) -> Record:
    """The record of the best tile: ``cost`` in seconds, or an estimate in ``unit``."""
    figures = (None, device, round(cost), unit) if unit else (round(cost * 1e3, 6), device)
    return Record(anchor.op, anchor.workload, anchor.lanes, tile, *figures)


def _counter(progress: Progress, phase: str, total: int) -> Callable[[float | None], None]:
    """A callback that counts the trials of a phase."""
    done = itertools.count(1)
    progress(phase, 0, total)
    return lambda _seconds: progress(phase, next(done), total)


def tune_function(
    function: tirx.PrimFunc,
    tiles: Sequence[Tile],
    *,
    target: TargetInfo,
    measured: Callable[[float | None], None],
    bench: Bench | None = None,
) -> tuple[Tile, float]:
    """The fastest of ``tiles`` for one function on one thread, and its seconds; raises TargetError where none could be
    built.
    """
    seconds = measure_tiles(function, tiles, target=target, measured=measured, bench=bench)
    if not seconds:
        raise TargetError(
            f"target {target.name}: none of {number_of(len(tiles), 'tile')} of a kernel could be built; compile"
            " without --tune"
        )
    best = min(seconds, key=seconds.__getitem__)
    return best, seconds[best]


def measure_tiles(
    function: tirx.PrimFunc,
    tiles: Sequence[Tile],
    *,
    target: TargetInfo,
    measured: Callable[[float | None], None],
    bench: Bench | None = None,
) -> dict[Tile, float]:
    """The seconds of one call of the function on one thread with each of ``tiles`` that could be built.

    Raises ValueError for a function without an anchor, which has no tiles.
    """
    parts = bench_parts(bench or HereBench(repeats=REPEATS, seconds=SECONDS), measured=measured)
    meta_schedule = parts.meta_schedule
    order = iter(range(len(tiles)))

    def space(sch: Schedule) -> None:
        decision = next(order, 0)
        chosen = sch.sample_categorical(list(range(len(tiles))), [1 / len(tiles)] * len(tiles), decision=decision)
        anchor = find_anchor(sch)
        if anchor is None:
            raise ValueError("tiles can be measured of a function with an anchor only")
        apply_tile(sch, anchor, tiles[int(sch.get(chosen))], vector_unit=vector_unit_named(target.vector))

    with tempfile.TemporaryDirectory() as folder, _quiet(), tvm.target.Target(target.tvm_target()):
        database = meta_schedule.tune_tir(
            tvm.IRModule({"main": function.with_attr("global_symbol", "main")}),
            target.tvm_target(),
            folder,
            len(tiles),
            num_trials_per_iter=min(16, len(tiles)),
            builder=parts.builder,
            runner=parts.runner,
            cost_model="random",
            measure_callbacks=[meta_schedule.measure_callback.AddToDatabase()],
            space=meta_schedule.space_generator.ScheduleFn(space, sch_rules=[], postprocs=[], mutator_probs={}),
            strategy="replay-func",
            task_scheduler="round-robin",
            seed=1,
        )
        if parts.failures:
            raise parts.failures[0]
        trials = [(_decision(record), float(record.run_secs[0])) for record in database.get_all_tuning_records()]
        return {tiles[index]: seconds for index, seconds in trials if seconds < FAILED_SECONDS}


def _decision(record: Any) -> int:
    """The index of the tile that a trial was built with."""
    decisions = record.trace.decisions.items()
    return next(int(value) for instruction, value in decisions if instruction.kind.name == "SampleCategorical")


def tasks(
    module: tvm.IRModule, vector_unit: VectorUnit, records: Records, *, estimates_suffice: bool = False
) -> Iterator[tuple[tirx.PrimFunc, Anchor, tuple[Tile, ...]]]:
    """Each convolution of an unscheduled module that was not measured yet, once per workload, with its candidate tiles.
    With ``estimates_suffice``, convolutions with an estimate are left out, too.
    """
    known = (lambda *key: records.tile(*key) is not None) if estimates_suffice else records.measured
    seen = set()
    for _, function in module.functions_items():
        if not isinstance(function, tirx.PrimFunc) or "tirx.is_scheduled" in (function.attrs or {}):
            continue
        anchor = find_anchor(Schedule(function))
        if anchor is None:
            continue
        key = (anchor.op, anchor.workload, anchor.lanes)
        if key not in seen and not known(*key):
            seen.add(key)
            yield function, anchor, candidates(anchor, vector_unit)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MetaSchedule's logging off the user's terminal, and put its loggers back: MetaSchedule leaves open files in
    their handlers, and refuses to start where an application has given its logger handlers without a name.
    """
    logger = logging.getLogger("tvm.s_tir.meta_schedule")
    level, propagate, handlers = logger.level, logger.propagate, logger.handlers
    logger.handlers = []
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, its in logging.root.manager.loggerDict.items():
            if isinstance(its, logging.Logger) and name.startswith(logger.name):
                for handler in its.handlers:
                    handler.close()
                its.handlers = []
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
