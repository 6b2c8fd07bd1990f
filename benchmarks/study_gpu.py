"""The study of hypotheses on all of CIFAR-10, planned for the minutes that a GPU is there.

    python benchmarks/study_gpu.py cifar10.npz build/gpu --minutes 12

Float networks are trained for 150 epochs and the others for 40, or for as many as fit into the minutes, which is known
from an epoch of each. The plan is kept in the output folder, so that the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

FLOAT_EPOCHS, EPOCHS = 150, 40
LEAST = 2  # epochs


def main(words: list[str]) -> int:
    """Plan where there is no plan yet, and run the grids of the hypotheses one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="an .npz as Keras stores it, or another data set that b2nn-study takes")
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--hypotheses", default="1,2,4", help="numbers with commas between")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--images", type=int, default=0, help="0 for all")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side on the GPU")
    given = parser.parse_args(words)

    from b2nn_tvm.study.hypotheses import hypothesis
    from b2nn_tvm.study.run import study

    numbers = [int(word) for word in given.hypotheses.split(",")]
    changes = {"data": given.data, "images": given.images, "validation": 0, "seeds": given.seeds}
    changes |= {"width": given.width, "activation_width": given.width}
    path = given.output / "epochs.json"
    if not path.exists():
        given.output.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(plan(given, numbers, changes)))
    changes |= json.loads(path.read_text())
    print(f"planned: {changes['float_epochs']} epochs in float, {changes['epochs']} of fine-tuning", flush=True)
    for number in numbers:
        settings = replace(hypothesis(number).settings, **changes)
        study(
            settings, output=given.output, jobs=given.jobs, hypothesis=number, note=lambda text: print(text, flush=True)
        )
    return 0


def plan(given: argparse.Namespace, numbers: list[int], changes: dict[str, object]) -> dict[str, int]:
    """The epochs, all scaled down alike where 150 and 40 are too many, from one epoch of the float network."""
    from b2nn_tvm.mixbin.training.train import train
    from b2nn_tvm.study.hypotheses import hypothesis
    from b2nn_tvm.study.tasks import Net, Source

    bundle = Source(given.data, given.images, 0, "flip-crop").load()
    model = Net("cresnet20", given.width, "binrelu").build(bundle)
    train(model, bundle, epochs=1)  # the first epoch also loads kernels
    begun = time.perf_counter()
    train(model, bundle, epochs=1)
    epoch = time.perf_counter() - begun
    parents = tuned = 0
    for number in numbers:
        settings = hypothesis(number).settings
        parents += len(settings.activations) if settings.activations else numbers[0] == number
        choices = len(settings.methods) + (settings.draws - 1) * ("random" in settings.methods)
        tuned += choices * len(settings.budgets) + 2 * len(settings.activations) + settings.longer_float + 1
    seconds = given.seeds * epoch * (FLOAT_EPOCHS * parents + 2 * EPOCHS * tuned)  # fine-tuning asks a teacher, too
    share = min(1.0, 60 * given.minutes * given.jobs / seconds)
    return {"float_epochs": max(LEAST, int(FLOAT_EPOCHS * share)), "epochs": max(LEAST, int(EPOCHS * share))}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
