"""How much each eligible layer is harmed by becoming binary, from disk where it was found before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.sources import data_digest
from b2nn_tvm.mixbin import methods, uninformed
from b2nn_tvm.mixbin.fingerprint import model_digest
from b2nn_tvm.mixbin.sensitivity import Sensitivity

PHASE = "score the layers"


def score(job: Job) -> dict[str, float]:
    """The score of every eligible layer by the search's method: the lowest is binarized first.

    Every layer is scored on the same calibration batches; an interrupted scoring goes on with the next layer.
    """
    settings = job.settings
    inputs = {"model": model_digest(job.model), "data": data_digest(job.data), "method": settings.method, "seed": settings.seed}

    def compute(folder: Path) -> dict[str, Any]:
        return {"scores": dict(_sensitivity(job, folder).scores)}

    found = job.state.run("scores", inputs, compute)["scores"]
    job.progress(PHASE, len(found), len(found))
    return found


def _sensitivity(job: Job, folder: Path) -> Sensitivity:
    method, seed = methods.get(job.settings.method), job.settings.seed
    if method is uninformed.random:
        return method(job.eligible, seed=seed)
    if method in (uninformed.front, uninformed.rear):
        return method(job.eligible)
    report = lambda done, total: job.progress(PHASE, done, total)
    return method(job.model, job.data.calibration(seed=seed), path=folder / "sensitivity.json", progress=report)
