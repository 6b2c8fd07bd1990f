"""How much each eligible layer is harmed by becoming binary, from disk where it was found before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from b2nn_tvm.loop.job import Job
from b2nn_tvm.mixbin import methods
from b2nn_tvm.mixbin.fingerprint import model_digest

PHASE = "score the layers"


def score(job: Job) -> dict[str, float]:
    """The score of every eligible layer by the search's method: the lowest is binarized first.

    Every layer is scored on the same calibration batches; an interrupted scoring goes on with the next layer.
    """
    settings = job.settings
    inputs = {"model": model_digest(job.model), "data": job.data.digest, "method": settings.method, "seed": settings.seed}

    def compute(folder: Path) -> dict[str, Any]:
        found = methods.score(
            settings.method,
            job.model,
            job.data.calibration(seed=settings.seed),
            layers=job.eligible,
            seed=settings.seed,
            path=folder / "sensitivity.json",
            progress=lambda done, total: job.progress(PHASE, done, total),
        )
        return {"scores": dict(found.scores)}

    found = job.state.run("scores", inputs, compute)["scores"]
    job.progress(PHASE, len(found), len(found))
    return found
