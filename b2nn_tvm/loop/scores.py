"""The score of every eligible layer, read from disk if it was computed before."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.progress import part_of

PHASE = "score the layers"


def score(job: Job, goal: BudgetGoal, measured: MeasuredCost) -> dict[str, float]:
    """The score of every eligible layer by the search's method: the lowest is binarized first.

    Every layer is scored on the same calibration batches; an interrupted scoring goes on where it stopped. Methods
    whose order depends on the budget get the goal's exact cost, or the milliseconds measured so far.
    """
    settings, method, seed = job.settings, job.settings.selection.method, job.settings.training.seed
    inputs = {
        "model": model_digest(job.model),
        "data": job.data.digest,
        "method": method,
        "seed": seed,
    }
    inputs["conversion"] = asdict(settings.conversion)
    options: dict[str, Any] = {"conversion": settings.conversion}
    if method in methods.NEED_BUDGET:
        cost = goal.cost or measured.fitted.cost
        options |= {"cost": cost, "limit": goal.limit}
        inputs |= {"limit": goal.limit, "savings": {name: float(cost.saving(name)) for name in cost.names}}
        if cost.transitions:
            inputs["transitions"] = [[*shared.layers, shared.when, float(shared.cost)] for shared in cost.transitions]
    if method in methods.NEED_TRAINING_DATA:
        options["data"] = job.data

    def compute(folder: Path) -> dict[str, Any]:
        found = methods.score(
            method,
            job.model,
            job.data.calibration(seed=seed),
            layers=job.eligible,
            seed=seed,
            path=folder / "sensitivity.json",
            progress=part_of(job.progress, PHASE),
            **options,
        )
        shutil.rmtree(
            folder / "sensitivity.json.steps", ignore_errors=True
        )  # intermediate networks, as large as the model
        return {"scores": dict(found.scores)}

    found: dict[str, float] = job.state.run("scores", inputs, compute)["scores"]
    job.progress(PHASE, len(found), len(found))
    return found
