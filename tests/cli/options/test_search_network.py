"""The options of b2nn-search that say what is searched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cli.commands import Run, assert_wrong_usage

WORDS = ("--model", "cresnet20", "-o", "out")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--augment", "mixup"), ("mixup", "none, flip-crop, random-resized, randaugment")),
        (("--model", "cresnet21"), ("'cresnet21' (did you mean cresnet20?)", "vgg_small, timm:NAME, or your own")),
        (("--model", "siamfc"), ("features, not class scores",)),
        (("--model", "nets.make_net"), ("did you mean nets:make_net?",)),
        (("--model", "./nets.py:net"), ("there is no file ./nets.py",)),
        (("--model", "net.onnx"), ("b2nn-profile net.onnx --what-if",)),
        (("--model", "runs/float.pt"), ("--checkpoint",)),
        (("--model", "nets.py::net"), ("did you mean nets.py:net?",)),
        (("--mean", "0.5;0.5"), ("0.485,0.456,0.406", "0.5;0.5")),
        (("--mean", "123.675,116.28,103.53"), ("divided by 255", "did you mean 0.485,0.456,0.406?")),
        (("--classes", "ten"), ("'ten' is not a valid whole number",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_no_word_of_the_command_is_wrong_usage(
    here: Run, tmp_path: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    assert_wrong_usage(here("search", *WORDS, *words), *parts)
    assert os.listdir(tmp_path) == []


def test_the_help_has_them_in_this_order(here: Run) -> None:
    said = here("search", "--help").stdout
    places = [said.index(f"\n  {option} ") for option in ("--model", "--checkpoint", "--data", "--augment", "--budget")]
    assert places == sorted(places)
