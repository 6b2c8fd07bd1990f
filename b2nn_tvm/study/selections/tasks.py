"""The tasks of worker processes for the comparison of selections: harms of pairs, and runners-up tuned for a while."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.selection.compare_candidates import compare_candidates
from b2nn_tvm.mixbin.selection.select import Selection
from b2nn_tvm.mixbin.selectors.interactions import measure_interactions
from b2nn_tvm.mixbin.training.recipes.presets import preset
from b2nn_tvm.progress import Progress
from b2nn_tvm.study.tasks import Work


@dataclass(frozen=True)
class PairScoring(Work):
    """Measure the harm of each layer of a parent alone (MixBin_Loss), and what pairs of layers add to it."""

    weights: Path

    def run(self, progress: Progress) -> dict[str, Any]:
        """The ``scores`` by layer, the ``terms`` as (layer, layer, harm), and the seconds."""
        bundle, begun = self.source.load(), time.perf_counter()
        batches = bundle.calibration(self.calibration, seed=self.seed)
        task = ScoringTask.of(
            self.net.load(bundle, self.weights),
            batches,
            seed=self.seed,
            conversion=self.net.conversion,
            path=self.folder / "pairs.json",
            progress=progress,
        )
        found = measure_interactions(task)
        return {
            "scores": dict(found.alone.scores),
            "terms": [[*pair, harm] for pair, harm in found.terms.items()],
            "seconds": time.perf_counter() - begun,
        }


@dataclass(frozen=True)
class RunnersUp(Work):
    """Fine-tune each of ``selections`` from the parent for a few ``epochs``, and take the most accurate one."""

    weights: Path
    selections: tuple[Selection, ...]
    epochs: int

    def run(self, progress: Progress) -> dict[str, Any]:
        """The ``binary`` layers of the one that is most accurate on the validation images, and the seconds."""
        bundle, begun = self.source.load(), time.perf_counter()
        ranked = compare_candidates(
            self.net.load(bundle, self.weights),
            self.selections,
            bundle,
            epochs=self.epochs,
            conversion=self.net.conversion,
            progress=progress,
            **{**preset(self.recipe).finetuning, **self.training},
        )
        shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        return {"binary": list(ranked[0].selection.binary), "seconds": time.perf_counter() - begun}
