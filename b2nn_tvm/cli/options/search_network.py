"""The options of b2nn-search that say what is searched: the network and the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from b2nn_tvm.cli.options.numbers import Numbers, WholeNumber
from b2nn_tvm.cli.options.word import Network, Word
from b2nn_tvm.words.choices import AUGMENTATIONS

Function = Callable[..., Any]

_OPTIONS = (
    click.option(
        "--model",
        required=True,
        metavar="NAME",
        type=Network(),
        help="A built-in network such as cresnet20, timm:NAME, or your own as pkg.module:factory or file.py:factory.",
    ),
    click.option(
        "--checkpoint",
        metavar="FILE",
        help="The trained float weights: a file of torch.save or safetensors with a state_dict in it.",
    ),
    click.option(
        "--classes",
        metavar="N",
        type=WholeNumber(min=1),
        help="Build the network for N classes, as the checkpoint has them.  [default: those of the data]",
    ),
    click.option("--ignore-head", is_flag=True, help="Leave the checkpoint's classifier and train a new one."),
    click.option(
        "--output-of",
        metavar="NAME",
        help="The class scores of a network that gives several tensors, such as out or 0.  [default: the first]",
    ),
    click.option(
        "--data",
        metavar="NAME",
        help="A built-in data set, the path of one on disk, or your own as pkg.module:factory.  [default: FOLDER, or"
        " else digits]",
    ),
    click.option(
        "--image-size",
        metavar="S",
        type=WholeNumber(min=1),
        help="Side of the images in pixels.  [default: their own where they are all alike, else the data set's usual"
        " one]",
    ),
    click.option(
        "--skip-bad",
        default=0,
        show_default=True,
        metavar="N",
        type=WholeNumber(min=0),
        help="Decode all images first, and leave out up to N that cannot be read.",
    ),
    click.option(
        "--mean",
        metavar="LIST",
        type=Numbers(),
        help="Mean that is taken off the pixels, which are 0 to 1: a number, or one per channel with commas between."
        "  [default: the data set's]",
    ),
    click.option(
        "--std",
        metavar="LIST",
        type=Numbers(),
        help="What the pixels are divided by then, in the same form.  [default: the data set's]",
    ),
    click.option(
        "--augment",
        metavar="NAME",
        type=Word("augmentation", AUGMENTATIONS),
        help="What is done to training images at random: none, flip-crop, random-resized, randaugment.  [default: the"
        " data set's way]",
    ),
    click.option(
        "--class-weights",
        metavar="WEIGHTS",
        help="How much an image of each class counts in training: balanced, or a JSON file with a weight by the name of"
        " each class.  [default: all alike]",
    ),
    click.option(
        "--labels", metavar="FILE", help="Names of the classes, one in each line.  [default: those of the data]"
    ),
)


def network_options(command: Function) -> Function:
    """Add these options to a command, in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
