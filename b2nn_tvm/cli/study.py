"""b2nn-study: methods and activations compared at equal cost, fine-tuned alike, over several seeds."""

from __future__ import annotations

from typing import Any

import click

from b2nn_tvm.cli.command import Command
from b2nn_tvm.cli.options.numbers import Number, WholeNumber
from b2nn_tvm.cli.options.word import Word, check_data, check_words
from b2nn_tvm.version import __version__
from b2nn_tvm.words.choices import (
    ACTIVATIONS,
    AUGMENTATIONS,
    CLASSIFIERS,
    METHODS,
    PRESETS,
    RECIPES,
    TRAINING_PRECISIONS,
)

KIND, VERSION = "b2nn-study", 1
RESUME = "finished trainings are kept; run the same command again to go on from there"
SEVERAL = "LIST"
SLIMMING = "network-slimming"
COUNT = WholeNumber(min=0)
POSITIVE = WholeNumber(min=1)


@click.command(cls=Command, resume=RESUME)
@click.option(
    "--preset",
    default="small",
    show_default=True,
    metavar="NAME",
    type=Word("preset", PRESETS),
    help="small (an hour or two on two cores) or full; other options override it.",
)
@click.option("--data", metavar="NAME", help="A built-in data set, a path, or your own as pkg.module:factory.")
@click.option("--other-data", metavar="NAME", help="Another data set, to and from which plans are carried over.")
@click.option("--model", metavar="NAME", type=Word("network", CLASSIFIERS), help="A built-in network.")
@click.option("--width", metavar="N", type=POSITIVE, help="Channels of the network's first stage.")
@click.option("--methods", metavar=SEVERAL, help="Methods to compare, with commas between; none for an empty list.")
@click.option("--budgets", metavar=SEVERAL, help="Percents of the float network's FLOPs, such as 60,40,20,10.")
@click.option(
    "--activations", metavar=SEVERAL, help="Activations to compare, with commas between; none for an empty list."
)
@click.option(
    "--activation-model",
    metavar="NAME",
    type=Word("network", CLASSIFIERS),
    help="The built-in network that activations are compared in.",
)
@click.option("--activation-width", metavar="N", type=POSITIVE, help="Channels of that network's first stage.")
@click.option("--seeds", metavar="N", type=POSITIVE, help="Seeds 0 to N - 1.")
@click.option("--images", metavar="N", type=COUNT, help="Training images; 0 for all.")
@click.option("--validation", metavar="N", type=COUNT, help="Validation images; 0 for all.")
@click.option("--calibration", metavar="N", type=POSITIVE, help="Training images that layers are scored on.")
@click.option("--float-epochs", metavar="N", type=POSITIVE, help="Epochs of the float parents.")
@click.option("--epochs", metavar="N", type=POSITIVE, help="Epochs of fine-tuning, the same for all.")
@click.option(
    "--tolerance",
    metavar="POINTS",
    type=Number(min=0),
    help="Percent points of the FLOPs that choices may differ by under a budget.",
)
@click.option(
    "--top-up/--as-selected",
    default=None,
    help="Spend what a choice leaves of the budget, or compare choices as they are.",
)
@click.option("--recipe", metavar="NAME", type=Word("recipe", RECIPES), help="How networks are trained.")
@click.option(
    "--training-precision",
    metavar="NAME",
    type=Word("training precision", TRAINING_PRECISIONS),
    help="What trainings compute in: auto (32 on CPUs), 32, bf16-mixed (faster on CPUs with AMX) or 16-mixed.",
)
@click.option(
    "--augment", metavar="NAME", type=Word("augmentation", AUGMENTATIONS), help="What is done to training images."
)
@click.option("--draws", metavar="N", type=POSITIVE, help="Choices per seed that the method random takes.")
@click.option("--hypothesis", metavar="N", type=POSITIVE, help="Run the grid of this hypothesis, in place of a preset.")
@click.option("--measure", is_flag=True, help="Measure milliseconds anew that were measured before.")
@click.option("--jobs", metavar="N", type=POSITIVE, help="Processes side by side.  [default: one per core]")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Give the work to the workers of this dask scheduler, such as tcp://10.0.0.1:8786.",
)
@click.option(
    "--threads", metavar="N", type=POSITIVE, help="Threads of each process.  [default: its share of the cores]"
)
@click.option(
    "--resume/--fresh", default=True, show_default=True, help="Go on where an earlier run stopped, or start anew."
)
@click.option(
    "-o", "--output", required=True, metavar="DIR", help="Folder for README.md, results.csv, the figures and the state."
)
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
@click.version_option(__version__)
def main(
    preset: str,
    hypothesis: int | None,
    measure: bool,
    jobs: int | None,
    threads: int | None,
    scheduler: str | None,
    resume: bool,
    output: str,
    as_json: bool,
    **given: Any,
) -> None:
    """Compare the methods that choose binary layers, at equal cost and with equal effort, and say which of them can be
    told apart.

    Writes results.csv, README.md and figures into DIR.
    """
    for name in ("data", "other_data"):
        if given[name]:
            check_data(given[name], option=f"--{name.replace('_', '-')}")
    for name, what, known in (("methods", "method", (*METHODS, SLIMMING)), ("activations", "activation", ACTIVATIONS)):
        given[name] = _words(given[name])
        check_words(given[name] or (), what, known, option=f"--{name}")
    given["budgets"] = _percents(given["budgets"])
    from dataclasses import asdict, replace

    from b2nn_tvm.cli import draw_progress
    from b2nn_tvm.cli import output as out
    from b2nn_tvm.study import hypotheses, settings
    from b2nn_tvm.study.run import study

    base = hypotheses.hypothesis(hypothesis).settings if hypothesis else settings.preset(preset)
    chosen = replace(base, **{name: value for name, value in given.items() if value is not None})
    with draw_progress.progress() as progress:
        found = study(
            chosen,
            output=output,
            jobs=jobs,
            threads=threads,
            scheduler=scheduler,
            hypothesis=hypothesis or 0,
            measure=measure,
            fresh=not resume,
            progress=progress,
            note=out.print_note,
        )
    if as_json:
        made = {"folder": str(found.folder), "files": found.files, "failed": found.failed}
        body = {**made, "rows": [asdict(row) for row in found.rows]}
        out.print_document(KIND, VERSION, body)
        found.check()
        return
    from b2nn_tvm.study.page import summary

    for title, columns, rows in summary(found.rows):
        out.print_table(title, columns, rows)
    out.print_line(f"{found.folder}: {', '.join(found.files)}")
    found.check()


def _words(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return () if text == "none" else tuple(word.strip() for word in text.split(","))


def _percents(text: str | None) -> tuple[float, ...] | None:
    try:
        return None if text is None else tuple(float(word.strip().removesuffix("%")) for word in text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"expected percents of the float network's FLOPs, such as 60,40,20,10, but got {text!r}",
            param_hint="--budgets",
        ) from None


if __name__ == "__main__":
    main()
