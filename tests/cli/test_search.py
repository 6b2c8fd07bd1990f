"""What b2nn-search says to what it cannot use; tests/end_to_end runs it to the end, in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cli.commands import Run, assert_refused

WORDS = ("--model", "cresnet20", "-o", "out")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--budget", "12 parsecs"), ("12 parsecs", "ms", "KiB")),
        (("--budget", "12"), ("no unit",)),
        (("--budget", "12ms@p95"), ("@p95", "@p50, @p90, @p99")),
        (("--budget", "40%flops@p90"), ("milliseconds", "12ms@p90")),
        (("--budget", "12ms", "--budget", "9ms"), ("one budget in ms", "12ms and 9ms")),
        (("--budget", "12ms", "--budget", "40%flops", "--progressive", "rear"), ("one budget",)),
        (("--device", "attic"), ("attic", "local")),
        (("--device", "emulator:cortex-a72"), ("an emulator's time is not a latency",)),
        (("--target", "vax"), ("vax", "arm", "native")),
        (("--target", "arm"), ("local", "aarch64", "also")),
        (("--also", "vax"), ("vax", "arm", "native")),
        (("--method", "magic"), ("magic", "mixbin-loss", "random")),
        (("--rule", "loose", "--budget", "50%flops"), ("loose", "strict", "nearest")),
        (("--solver", "oracle"), ("oracle", "exact")),
        (("--solver", "exact", "--method", "random"), ("random", "order", "sort")),
        (("--rule", "nearest"), ("milliseconds", "strict")),
        (("--binarizer", "magic"), ("magic", "xnor", "distribution-aware")),
        (("--activation", "magic"), ("magic", "binrelu", "rprelu")),
        (("--pad-value", "2"), ("0, 1 or -1", "2")),
        (("--progressive", "sideways"), ("sideways", "front, rear, greedy, scores, layer-wise-priority")),
        (("--floor", "0.9"), ("progressive order",)),
        (("--data", "nothing"), ("nothing", "digits")),
        (("--model", "lenet"), ("lenet", "cresnet20")),
        (("--model", "nowhere:net"), ("nowhere",)),
        (("--checkpoint", "absent.pt"), ("absent.pt", "no such file")),
        (("--ignore-head",), ("without a checkpoint",)),
        (("--ignore-head", "--checkpoint", "a.pt", "--float-epochs", "0"), ("needs training",)),
        (("--classes", "9"), ("at least the 10 classes", "digits")),
        (("--skip-bad", "3"), ("digits", "not files")),
        (("--image-size", "64"), ("digits", "size of their own")),
        (("--plan", "absent.json"), ("absent.json", "no such file")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_refusals_are_one_line_and_leave_nothing(
    here: Run, tmp_path: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    assert_refused(here("search", *WORDS, *words), *parts)
    assert os.listdir(tmp_path) == []


def test_an_infeasible_budget_says_what_is_possible_and_which_layers_bind(here: Run, tmp_path: Path) -> None:
    done = here("search", *WORDS, "--budget", "1%flops", "--float-epochs", "500")
    assert_refused(done, "conv1", "stay float", "allow at least")
    assert not (tmp_path / "out" / "plan.json").exists()


def test_the_budget_that_cannot_be_kept_is_named_among_several(here: Run, tmp_path: Path) -> None:
    """Bytes are counted, so that they are refused before a time is measured."""
    done = here("search", *WORDS, "--budget", "12ms", "--budget", "1KiB", "--float-epochs", "500")
    assert_refused(done, "at most 1024 bytes", "allow at least")
    assert not (tmp_path / "out" / "plan.json").exists()


@pytest.mark.parametrize("words", [("--epochs", "-1"), ("--threads", "0"), ("--floor", "2")])
def test_wrong_usage_is_status_2(here: Run, words: tuple[str, ...]) -> None:
    assert here("search", *WORDS, *words).returncode == 2


def test_model_and_output_are_required(run: Run) -> None:
    assert "--model" in run("search", "-o", "out").stderr
    assert "--output" in run("search", "--model", "cresnet20").stderr
