"""The options of b2nn-search that say how layers are chosen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cli.commands import Run, assert_wrong_usage

WORDS = ("--model", "cresnet20", "-o", "out")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--method", "magic"), ("unknown method 'magic'; choose one of", "mixbin-loss", "random")),
        (("--method", "mixbin-los"), ("did you mean mixbin-loss?",)),
        (("--rule", "loose", "--budget", "50%flops"), ("loose", "strict", "nearest")),
        (("--solver", "oracle"), ("oracle", "exact")),
        (("--binarizer", "magic"), ("magic", "xnor", "distribution-aware")),
        (("--activation", "magic"), ("magic", "binrelu", "rprelu")),
        (("--progressive", "sideways"), ("sideways", "front, rear, greedy, scores, layer-wise-priority")),
        (("--floor", "2"), ("--floor",)),
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
    places = [
        said.index(f"\n  {option} ") for option in ("--threads", "--method", "--binarizer", "--floor", "--epochs")
    ]
    assert places == sorted(places)
