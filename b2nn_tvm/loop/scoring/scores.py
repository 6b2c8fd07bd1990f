"""The score of every option of a layer, read from disk if it was computed before."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from b2nn_tvm.costs.options import layer_of, option, precision_of
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost
from b2nn_tvm.loop.scoring.parts import PARTS, Subject, known_scores, score_in_parts, scores_file
from b2nn_tvm.loop.workers.dask_pool import DaskPool
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringOptions
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.progress import CombinedProgress, part_of

PHASE = "score the layers"


def score(job: Job, goal: BudgetGoal, measured: MeasuredCost, *, scheduler: str | None = None) -> dict[str, float]:
    """The score of every eligible layer (of every option) by the search's method: the lowest is binarized first.

    Every layer is scored on the same calibration batches; an interrupted scoring goes on where it stopped. Methods
    whose order depends on the budget get the goal's exact cost, or the milliseconds measured so far. With the address
    of a dask ``scheduler`` its workers score the layers, else this process does.

    Raises InputError where the scheduler has no workers that can, and the errors of the method.
    """
    settings, method, seed = job.settings, job.settings.selection.method, job.settings.training.seed
    inputs = {
        "model": model_digest(job.model),
        "data": job.data.digest,
        "method": method,
        "seed": seed,
    }
    inputs["conversion"] = asdict(settings.conversion)
    options: ScoringOptions = {"conversion": settings.conversion, "seed": seed}
    if method in methods.NEED_BUDGET:
        cost = goal.cost or measured.fitted.cost
        options["cost"], options["limit"] = cost, goal.limit
        inputs |= {"limit": goal.limit, "savings": {name: float(cost.saving(name)) for name in cost.names}}
        if cost.transitions:
            inputs["transitions"] = [[*shared.layers, shared.when, float(shared.cost)] for shared in cost.transitions]
    if method in methods.NEED_TRAINING_DATA:
        options["data"] = job.data

    words = [word for word in settings.selection.precisions if word != "float"]
    if not job.is_binary:
        inputs["options"] = list(job.options)

    layers = {word: [layer_of(each) for each in job.options if precision_of(each) == word] for word in words}
    layers = {word: names for word, names in layers.items() if names}

    def compute(folder: Path) -> dict[str, Any]:
        subject = Subject(method, job.model, job.data.calibration(seed=seed), options)
        if scheduler is None:
            found = _score_here(job, subject, layers, folder)
        else:
            with DaskPool(scheduler) as pool:
                found = score_in_parts(pool, subject, layers, folder, phase=PHASE, progress=job.progress)
        shutil.rmtree(
            folder / "sensitivity.json.steps", ignore_errors=True
        )  # intermediate networks, as large as the model
        scores = {option(layer, word): value for word in found for layer, value in found[word].items()}
        return {"scores": {each: scores[each] for each in job.options}}

    found: dict[str, float] = job.state.run("scores", inputs, compute)["scores"]
    job.progress(PHASE, len(found), len(found))
    return found


def _score_here(
    job: Job, subject: Subject, layers: Mapping[str, Sequence[str]], folder: Path
) -> dict[str, dict[str, float]]:
    """The scores by precision and layer; what a scoring with a scheduler has left in ``folder`` is used again."""
    told = CombinedProgress(job.progress, PHASE, dict.fromkeys(layers, 1.0))
    found = {}
    for word, names in layers.items():
        found[word] = known_scores(folder / PARTS, subject.method, word)
        missing = [name for name in names if name not in found[word]]
        if missing:
            progress = part_of(job.progress, PHASE) if job.is_binary else part_of(told, word)
            found[word] |= subject.score(missing, word, folder / scores_file(word), progress)
    return found
