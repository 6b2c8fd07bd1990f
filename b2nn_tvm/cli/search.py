"""b2nn-search: a torch model and a budget become a library that keeps the budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from b2nn_tvm.cli.command import Command, input_option
from b2nn_tvm.cli.options.numbers import Number, Share, WholeNumber
from b2nn_tvm.cli.options.search_layers import layer_options
from b2nn_tvm.cli.options.search_network import network_options
from b2nn_tvm.cli.options.word import Target, Word, check_budgets, check_data
from b2nn_tvm.cli.whole_search import WholeSearch
from b2nn_tvm.version import __version__
from b2nn_tvm.words.choices import PRECISION_OF_TIMES, RECIPES

MASKS = 6  # the default of the settings of a search, which are not imported for a help text
RESUME = "finished phases are kept; run the same command again to go on from there"


@click.command(cls=Command, resume=RESUME)
@click.argument("folder", metavar="[FOLDER]", required=False)
@network_options
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="AMOUNT",
    help="12ms, 12ms@p90, 40%ms, 40%flops, 300KiB, ...; may be given again in another unit, and all are kept."
    "  [default: half-way from all binary to all float, in ms]",
)
@click.option(
    "--device",
    default="local",
    show_default=True,
    metavar="NAME",
    help="Device that times are measured on; local is this machine.",
)
@click.option(
    "--target",
    default="native",
    show_default=True,
    metavar="NAME",
    type=Target(),
    help="Target to compile for; see b2nn-compile --list-targets.",
)
@click.option(
    "--also",
    multiple=True,
    metavar="NAME",
    type=Target(),
    help="Compile the result for this target too; may be given again.",
)
@input_option
@click.option(
    "--bundle",
    is_flag=True,
    help="Make the libraries' folders ready for a board: examples, names of classes, a test picture, README.txt.",
)
@click.option(
    "--threads", default=1, show_default=True, metavar="N", type=WholeNumber(min=1), help="Threads of one inference."
)
@layer_options
@click.option(
    "--recipe",
    default=RECIPES[0],
    show_default=True,
    metavar="NAME",
    type=Word("recipe", RECIPES),
    help=f"How networks are trained, and for how long: {', '.join(RECIPES)}.",
)
@click.option(
    "--epochs",
    metavar="N",
    type=WholeNumber(min=0),
    help="Epochs of fine-tuning, both stages together.  [default: the recipe's]",
)
@click.option(
    "--batch-size",
    default=64,
    show_default=True,
    metavar="N",
    type=WholeNumber(min=1),
    help="Images of a step of training.",
)
@click.option(
    "--lr",
    metavar="RATE",
    type=Number(min=0, min_open=True),
    help="Learning rate at the start of each training.  [default: the recipe's]",
)
@click.option(
    "--float-epochs",
    metavar="N",
    type=WholeNumber(min=0),
    help="Epochs of float training at first.  [default: the recipe's; 0 with --checkpoint unless --ignore-head]",
)
@click.option(
    "--compare",
    default=0,
    show_default=True,
    metavar="N",
    type=WholeNumber(min=0),
    help="Fine-tune the all-binary network and N random choices too.",
)
@click.option(
    "--front",
    default=0,
    show_default=True,
    metavar="N",
    type=WholeNumber(min=0),
    help="Measure the least harmful choices for N budgets between all binary and all float, too.",
)
@click.option("--front-accuracy", is_flag=True, help="Fine-tune every choice of the front.")
@click.option(
    "--precision",
    default="2%",
    show_default=True,
    metavar="SHARE",
    type=Share(*PRECISION_OF_TIMES),
    help="Measure until a network's undisturbed time is known to this share of it.",
)
@click.option(
    "--masks",
    default=MASKS,
    show_default=True,
    metavar="N",
    type=WholeNumber(min=0),
    help="Networks with layers binary at random that are measured to predict times better.",
)
@click.option(
    "--costs",
    metavar="FILE",
    help="Take the times of layers from this costs.json of the same kind of device, where it has them.",
)
@click.option(
    "--plan",
    metavar="FILE",
    help="Take the layers of this plan.json, which may come from other data, in place of scoring and selecting.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    metavar="N",
    type=WholeNumber(min=0),
    help="Seed of all random numbers.",
)
@click.option(
    "--resume/--fresh", default=True, show_default=True, help="Go on where an earlier run stopped, or start anew."
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    help="Folder for the plan, the network, the libraries and the report.",
)
@click.option(
    "--quantized",
    "int8",
    is_flag=True,
    help="Measure onnxruntime's int8 form of the float network beside the library, too.",
)
@click.option("--plots", metavar="DIR", help="Write the charts of the report as SVG and PNG into this folder, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.version_option(__version__)
@click.pass_context
def main(
    context: click.Context,
    /,
    folder: str | None,
    model: str,
    data: str | None,
    binarizer: str,
    activation: str,
    pad_value: int,
    learned_threshold: bool,
    budgets: tuple[str, ...],
    resume: bool,
    as_json: bool,
    plots: str | None,
    **given: Any,
) -> None:
    """Find which convolutions of a torch model become binary so that the compiled network keeps the budget on a device.

    FOLDER has the images, as --data takes them. Writes plan.json, model.onnx, costs.json, the libraries and a report
    into DIR.
    """
    import contextlib
    import shlex
    import sys
    from pathlib import Path

    if folder is not None and data is not None:
        raise click.UsageError(f"FOLDER and --data both name the data: {folder} and {data}; give one of them", context)
    check_data(folder or data or "digits", option="FOLDER" if folder else "--data")
    check_budgets(budgets)
    if given["epochs"] is None:
        del given["epochs"]
    import b2nn_tvm
    from b2nn_tvm.cli import draw_progress
    from b2nn_tvm.cli import output as out
    from b2nn_tvm.mixbin.conversion.options import ConversionOptions
    from b2nn_tvm.storage.try_to_write import try_to_write

    conversion = ConversionOptions(
        binarizer=binarizer, activation=activation, pad_value=pad_value, learned_threshold=learned_threshold
    )
    if plots is not None:
        try_to_write(plots)
    # Networks and data sets of users may print, and stdout is for results.
    with draw_progress.progress(_whole(given)) as progress, contextlib.redirect_stdout(sys.stderr):
        result = b2nn_tvm.search(
            model,
            data=folder or data or "digits",
            budget=budgets or None,
            conversion=conversion,
            fresh=not resume,
            progress=progress,
            note=out.print_note,
            command=shlex.join([Path(sys.argv[0]).name.replace("search.py", "b2nn-search"), *sys.argv[1:]]),
            **given,
        )
    from b2nn_tvm.loop.results import charts, report, tables
    from b2nn_tvm.loop.results.budget_words import broken_budgets
    from b2nn_tvm.loop.results.report_lines import lines

    if plots is not None:
        charts.write_charts(result, Path(plots))
    if warning := broken_budgets(result):
        out.print_warning(warning)
    if as_json:
        out.print_document(report.KIND, report.VERSION, report.document(result))
        return
    table = tables.networks(result)
    out.print_table(table.title, table.columns, table.rows)
    if result.fronts:
        beside = tables.fronts(result)
        out.print_table(beside.title, beside.columns, beside.rows)
    for line in lines(result):
        out.print_line(line)


def _whole(given: Mapping[str, Any]) -> WholeSearch:
    """How far a search with these options is."""
    from b2nn_tvm.loop.front.by_precision import BUDGETS, sets_of_precisions
    from b2nn_tvm.mixbin.training.recipes.presets import preset

    recipe = preset(given["recipe"])
    trained = given["checkpoint"] and not given["ignore_head"]
    float_epochs = given["float_epochs"]
    scores = given["plan"] is None and given["progressive"] in (None, "scores")
    fronts = len(sets_of_precisions(given["precisions"])) if scores else 0
    front = (given["front"] or BUDGETS) * fronts or given["front"]
    return WholeSearch(
        float_epochs=(0 if trained else recipe.float_epochs) if float_epochs is None else float_epochs,
        epochs=recipe.epochs if given.get("epochs") is None else given["epochs"],
        masks=given["masks"] + len(given["precisions"]) - 2,  # for each precision beside float one network more
        scores=scores,
        front=front,
        tuned_front=front if given["front_accuracy"] else 0,
        compare=given["compare"],
    )


if __name__ == "__main__":
    main()
