"""The options of b2nn-search that say how layers are chosen, and what the chosen ones become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from b2nn_tvm.cli.options.numbers import Share, WholeNumber
from b2nn_tvm.cli.options.word import Precisions, Word
from b2nn_tvm.words.choices import ACTIVATIONS, BINARIZERS, METHODS, ORDERS, RULES, SOLVERS

Function = Callable[..., Any]

_OPTIONS = (
    click.option(
        "--method",
        default="mixbin-loss",
        show_default=True,
        metavar="NAME",
        type=Word("method", METHODS),
        help="Method that scores the layers.",
    ),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Score the layers on the workers of this dask scheduler, such as tcp://10.0.0.1:8786.",
    ),
    click.option(
        "--precisions",
        default="1,32",
        show_default=True,
        metavar="LIST",
        type=Precisions(),
        help="Bits that layers may have: 1 binary, 2 W1A2 and W2A2, 8 int8, 32 float; with commas between.",
    ),
    click.option(
        "--rule",
        default="strict",
        show_default=True,
        metavar="NAME",
        type=Word("rule", RULES),
        help="Rule by which the sort stops: strict, nearest or at_least.",
    ),
    click.option(
        "--solver",
        metavar="NAME",
        type=Word("solver", SOLVERS),
        help="Solver of the selection: exact or sort (MixBin's).  [default: exact; sort for other rules than strict,"
        " and for methods that give an order, such as random and front]",
    ),
    click.option(
        "--binarizer",
        default="xnor",
        show_default=True,
        metavar="NAME",
        type=Word("binarizer", BINARIZERS),
        help="Form of binary weights: xnor or distribution-aware.",
    ),
    click.option(
        "--activation",
        default="binrelu",
        show_default=True,
        metavar="NAME",
        type=Word("activation", ACTIVATIONS),
        help="Activation in front of binary layers, where a ReLU would drop the sign.",
    ),
    click.option(
        "--pad-value", default=0, show_default=True, metavar="N", type=int, help="Padding of binary layers: 0, 1 or -1."
    ),
    click.option("--learned-threshold", is_flag=True, help="Learn a threshold per channel at which the sign changes."),
    click.option(
        "--progressive",
        metavar="ORDER",
        type=Word("order", ORDERS),
        help="Binarize layer by layer in an order: front, rear, greedy, scores (the method's) or layer-wise-priority.",
    ),
    click.option(
        "--epochs-per-layer",
        metavar="N",
        type=WholeNumber(min=0),
        help="Epochs of training after each layer of a progressive order.  [default: 1, layer-wise-priority 2]",
    ),
    click.option(
        "--floor",
        metavar="SHARE",
        type=Share(0, 1),
        help="Validation accuracy, such as 90% or 0.9, below which a progressive order stops.",
    ),
)


def layer_options(command: Function) -> Function:
    """Add these options to a command, in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
