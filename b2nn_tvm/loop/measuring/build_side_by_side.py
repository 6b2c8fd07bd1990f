"""Build several networks: one after the other here, or side by side in processes of their own where that is faster."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import nn

from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.build_network import (
    BuildTask,
    build_network,
    build_task,
    in_order,
    network_inputs,
    phase_of,
)
from b2nn_tvm.loop.workers.worker_pool import WorkerPool
from b2nn_tvm.progress import silent
from b2nn_tvm.storage.free_memory import free_bytes

BUILD = "build networks to measure"
START_SECONDS = 10.0  # a process needs as long at most until it has imported torch and tvm and begins to build
# The memory of a process that builds: with both imported, and per byte of weights, which conversion, export and
# compiler hold at the same time.
BASE_BYTES, PER_WEIGHT_BYTE = 700 * 2**20, 8
ADVICE = "leave fewer CPUs to the search (taskset), or make memory free"


def build_networks(job: Job, choices: Iterable[Iterable[str]]) -> dict[tuple[str, ...], Artifact]:
    """The libraries of the networks with these layers binary, by the layers in network order.

    Nothing is built any more when this returns, so that nothing disturbs the clock. Each network is a phase of its own:
    what was built before is taken from disk. As soon as a build has shown that the others take longer than processes
    need to start, those are built side by side, by as many processes as there are CPUs and memory for.

    Raises UnsupportedError where the compiler leaves one of these layers float, and the errors of the compiler.
    """
    chosen = list(dict.fromkeys(in_order(job, choice) for choice in choices))
    artifacts: dict[tuple[str, ...], Artifact] = {}
    for index, choice in enumerate(chosen):
        job.progress(BUILD, index, len(chosen))
        begin = time.monotonic()
        artifacts[choice] = build_network(job, choice)
        rest = chosen[index + 1 :]
        size = processes_for(len(rest), time.monotonic() - begin, job.model)
        if size > 1 and _can_travel(build_task(job, choice, Path())):
            return artifacts | _side_by_side(job, rest, size, done=index + 1)
    job.progress(BUILD, len(chosen), len(chosen))
    return artifacts


def processes_for(count: int, seconds: float, model: nn.Module) -> int:
    """How many processes build ``count`` networks like ``model``, each of which takes so many ``seconds`` here; 1 where
    more would not pay, or have no CPU or no memory.
    """
    weights = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    room = free_bytes() / (BASE_BYTES + PER_WEIGHT_BYTE * weights)
    size = int(min(count, len(os.sched_getaffinity(0)), room))
    if size < 2 or count * seconds * (1 - 1 / size) < START_SECONDS:
        return 1
    return size


def _can_travel(task: BuildTask) -> bool:
    """Whether another process can be told of the network; some modules hold what cannot be pickled, such as a lock."""
    import cloudpickle

    try:
        cloudpickle.dumps(task)
    except Exception:  # noqa: BLE001 - classes of users decide what happens when they are pickled
        return False
    return True


def _side_by_side(
    job: Job, choices: Sequence[tuple[str, ...]], size: int, *, done: int
) -> dict[tuple[str, ...], Artifact]:
    """The libraries of the ``choices``, built by ``size`` processes, after ``done`` others."""
    names, lock = {phase_of(job, choice): choice for choice in choices}, threading.Lock()
    finished, total = done, done + len(choices)
    job.progress(BUILD, finished, total)

    def one(phase: str) -> Artifact:
        nonlocal finished
        choice = names[phase]
        job.state.run(
            phase,
            network_inputs(job, choice),
            lambda folder: pool.run(phase, build_task(job, choice, folder), silent),
        )
        with lock:
            finished += 1
            job.progress(BUILD, finished, total)
        return load(job.state.files(phase) / "library")

    threads = max(1, len(os.sched_getaffinity(0)) // size)
    with WorkerPool(size, threads=threads, advice=ADVICE) as pool:
        return {names[phase]: artifact for phase, artifact in pool.map(names, one).items()}
