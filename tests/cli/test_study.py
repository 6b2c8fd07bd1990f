"""What b2nn-study says to what it cannot use; tests/study runs studies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cli.commands import Run, assert_refused, assert_wrong_usage

WORDS = ("--data", "digits", "-o", "out")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--budgets", "40,1"), ("budget 1", "choose from", "to 100")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_refusals_are_one_line_and_leave_nothing(
    here: Run, tmp_path: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    assert_refused(here("study", *WORDS, *words), *parts)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--budgets", "sixty"), ("--budgets", "60,40,20,10", "sixty")),
        (("--seeds", "0"), ("--seeds",)),
        (("--images", "many"), ("--images",)),
        (("--methods", "front,magic"), ("magic", "mixbin-loss", "hawq-v2", "network-slimming")),
        (("--activations", "binrelus"), ("did you mean binrelu?",)),
        (("--preset", "large"), ("large", "small, full")),
        (("--model", "cresnet21"), ("did you mean cresnet20?",)),
        (("--data", "digit"), ("did you mean digits?",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_usage_is_status_2(here: Run, words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    assert_wrong_usage(here("study", *WORDS, *words), *parts)
