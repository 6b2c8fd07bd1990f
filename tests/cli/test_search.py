"""What b2nn-search says to what it cannot use; tests/end_to_end runs it to the end, in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from b2nn_tvm.words.choices import CLASSIFIERS
from tests.support.cli.commands import Run, assert_refused, assert_wrong_usage

WORDS = ("--model", "cresnet20", "-o", "out")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--budget", "12 parsecs"), ("12 parsecs", "ms", "KiB")),
        (("--budget", "12"), ("no unit",)),
        (("--budget", "12ms@p95"), ("@p95", "@p50, @p90, @p99")),
        (("--budget", "40%flops@p90"), ("milliseconds", "12ms@p90")),
        (("--target", "vax"), ("vax", "arm", "native")),
        (("--target", "rpi44"), ("rpi44", "rpi4")),
        (("--also", "vax"), ("vax", "arm", "native")),
        (("--data", "nothing"), ("no file or folder 'nothing'", "digits")),
        (("--data", "digit"), ("did you mean digits?",)),
        (("photos",), ("FOLDER", "no file or folder 'photos'")),
        ((".", "--data", "digits"), ("FOLDER and --data both name the data: . and digits",)),
        (("--lr", "0"), ("--lr",)),
        (("--epochs", "-1"), ("--epochs",)),
        (("--threads", "0"), ("--threads",)),
        (("-q", "-v"), ("contradict",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_no_word_of_the_command_is_wrong_usage(
    here: Run, tmp_path: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    assert_wrong_usage(here("search", *WORDS, *words), *parts)
    assert os.listdir(tmp_path) == []


def test_the_networks_that_are_offered_are_those_that_work(here: Run) -> None:
    said = " ".join(here("search", *WORDS, "--model", "cresnet21").stderr.split())
    assert "siamfc" not in said and all(name in said for name in CLASSIFIERS)


def test_typos_are_answered_without_torch(run: Run) -> None:
    """Neither torch nor tvm is imported to refuse a word."""
    after = "import atexit; atexit.register(lambda: print('torch' in sys.modules or 'tvm' in sys.modules))"
    for words in (("--model", "cresnet21"), ("--budget", "12"), ("--data", "digit"), ("--target", "rpi44")):
        done = run("search", *WORDS, *words, before=after)
        assert (done.returncode, done.stdout) == (2, "False\n"), done.stderr


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--budget", "12ms", "--budget", "9ms"), ("one budget in ms", "12ms and 9ms")),
        (("--budget", "12ms", "--budget", "40%flops", "--progressive", "rear"), ("one budget",)),
        (("--device", "attic"), ("attic", "local")),
        (("--device", "emulator:cortex-a72"), ("an emulator's time is not a latency",)),
        (("--threads", "1000"), ("threads: expected at most 256, but got 1000",)),
        (("--target", "arm"), ("local", "aarch64", "also")),
        (("--solver", "exact", "--method", "random"), ("random", "order", "sort")),
        (("--rule", "nearest"), ("milliseconds", "strict")),
        (("--pad-value", "2"), ("0, 1 or -1", "2")),
        (("--floor", "0.9"), ("progressive order",)),
        (("--model", "nowhere:net"), ("nowhere",)),
        (("--model", "timm:resnet1888"), ("timm",)),
        (("--checkpoint", "absent.pt"), ("absent.pt", "no such file")),
        (("--ignore-head",), ("without a checkpoint",)),
        (("--ignore-head", "--checkpoint", "a.pt", "--float-epochs", "0"), ("needs training",)),
        (("--classes", "9"), ("at least the 10 classes", "digits")),
        (("--skip-bad", "3"), ("digits", "not files")),
        (("--data", "shapes", "--image-size", "48"), ("sizes 32, 64", "not 48")),
        (("--mean", "0.5,0.5"), ("mean: expected 3 numbers", "0.5,0.5")),
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


def test_model_and_output_are_required(run: Run) -> None:
    assert "--model" in run("search", "-o", "out").stderr
    assert "--output" in run("search", "--model", "cresnet20").stderr
