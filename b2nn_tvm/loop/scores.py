"""The score of every option of a layer, read from disk if it was computed before."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from b2nn_tvm.costs.options import PLAIN, layer_of, option, precision_of
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.plan import Precision
from b2nn_tvm.progress import CombinedProgress, part_of

PHASE = "score the layers"


def score(job: Job, goal: BudgetGoal, measured: MeasuredCost) -> dict[str, float]:
    """The score of every eligible layer (of every option) by the search's method: the lowest is binarized first.

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

    words = [word for word in settings.selection.precisions if word != "float"]
    if not job.is_binary:
        inputs["options"] = list(job.options)

    def compute(folder: Path) -> dict[str, Any]:
        scores: dict[str, float] = {}
        told = CombinedProgress(job.progress, PHASE, dict.fromkeys(words, 1.0))
        for word in words:
            file = "sensitivity.json" if word == PLAIN else f"sensitivity-{word}.json"
            layers = [layer_of(each) for each in job.options if precision_of(each) == word]
            if not layers:
                continue
            found = methods.score(
                method,
                job.model,
                job.data.calibration(seed=seed),
                layers=layers,
                seed=seed,
                precision=Precision(word),
                path=folder / file,
                progress=part_of(job.progress, PHASE) if job.is_binary else part_of(told, word),
                **options,
            )
            scores |= {option(layer, word): value for layer, value in found.scores.items()}
        shutil.rmtree(
            folder / "sensitivity.json.steps", ignore_errors=True
        )  # intermediate networks, as large as the model
        return {"scores": {each: scores[each] for each in job.options}}

    found: dict[str, float] = job.state.run("scores", inputs, compute)["scores"]
    job.progress(PHASE, len(found), len(found))
    return found
