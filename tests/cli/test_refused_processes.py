"""What first hours ran into, as it is typed: each command is a program of its own, which answers in one line.

The files of the commands have many more refusals, in the process of the test. Those that are answered before torch or
TVM is imported take a tenth of a second; the others are a sweep.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.cli.commands import Run, assert_refused, assert_wrong_usage
from tests.support.loop.faulty_inputs import write_inputs

NET = ("--model", "./nets.py:make_net", "-o", "out")


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write_inputs(tmp_path)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("search --model cresnet21 -o out", ("did you mean cresnet20?", "vgg_small, timm:NAME")),
        ("search --model siamfc -o out", ("not class scores", "docs/tracking.md")),
        ("search --model nets.make_net -o out", ("did you mean nets:make_net?",)),
        ("search --model nets.py -o out", ("is a file: name the function in it", "nets.py:make_net")),
        ("search --model ./nets.py:mak_net -o out", ("did you mean make_net?",)),
        ("search --model cresnet20 --budget 300K -o out", ("did you mean 300KiB?",)),
        ("search --model cresnet20 --precision 2 -o out", ("did you mean 2%?",)),
        ("search --model cresnet20 -o $OUT", ("an empty word; is a variable of the shell not set?",)),
        ("search --model cresnet20 --data https://x.org/pets.zip -o out", ("nothing is downloaded",)),
        ("profile net.onnx", ("compile it first with b2nn-compile", "--what-if")),
        ("study --methods mixbin -o out", ("did you mean mixbin-loss?",)),
    ],
)
def test_words_that_are_none(run: Run, tmp_path: Path, pets: Path, words: str, parts: tuple[str, ...]) -> None:
    command, *rest = ("" if word == "$OUT" else word for word in words.split())
    assert_wrong_usage(run(command, *rest), *parts)
    assert sorted(os.listdir(tmp_path)) == ["nets.py", "pets"]


def test_folders_in_the_place_of_files_and_of_others(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert_refused(run("compile", "empty"), "expected an ONNX file, but this is a folder; give the name of a file")
    (tmp_path / "result" / "native").mkdir(parents=True)
    (tmp_path / "result" / "native" / "manifest.json").touch()
    (tmp_path / "result" / "report.json").touch()
    assert_refused(run("profile", "result"), "it has no manifest.json; ", "result/native")
    assert sorted(os.listdir(tmp_path)) == ["empty", "result"]


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("factory", "parts"),
    [
        ("nested", ("class scores of shape [N, 3]", "scores.boxes")),
        ("two_scores", ("gives 2 scores", "has 3 classes")),
        ("broken", ("'./nets.py:broken': your factory fails with TypeError", "nets.py:")),
        ("not_in_training", ("the first step of training", "ValueError: no mask was given (nets.py:")),
        ("frozen", ("the first step of training, on 2 images, fails", "does not require grad")),
    ],
)
def test_networks_that_cannot_be_trained(
    run: Run, tmp_path: Path, pets: Path, factory: str, parts: tuple[str, ...]
) -> None:
    done = run("search", "-q", "pets", "--model", f"./nets.py:{factory}", "-o", "out")
    assert_refused(done, *parts)
    assert not (tmp_path / "out").exists()


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("factory", "parts"),
    [
        ("unreadable", ("2 images of the train split fails with KeyError", "photo 7 has no row", "nets.py:")),
        ("labels_from_one", ("a label of the train split is 3", "0 to 2")),
        ("no_bundle", ("your factory fails with TypeError", "wrong", "nets.py:")),
    ],
)
def test_data_that_cannot_be_read(run: Run, tmp_path: Path, pets: Path, factory: str, parts: tuple[str, ...]) -> None:
    assert_refused(run("search", "-q", "--data", f"nets:{factory}", *NET), *parts)
    assert not (tmp_path / "out").exists()


@pytest.mark.sweep
def test_results_that_cannot_be_written_and_doubts(run: Run, tmp_path: Path, pets: Path) -> None:
    """A class that the validation split lacks, and more threads than CPUs, are told before the end."""
    shutil.rmtree(pets / "val" / "owl")
    (tmp_path / "out").touch()
    done = run("search", "pets", "--threads", "200", *NET)
    assert done.returncode == 1 and done.stdout == ""
    *notes, error = [line for line in done.stderr.splitlines() if not line.endswith(" ...")]
    assert error.startswith("error: out: nothing can be written into this folder (")
    assert any(line.startswith("note: 200 threads share") for line in notes)
    assert any(line.endswith("has no images of owl") for line in notes)
    for plots in ("out", "/proc/plots"):
        done = run("search", "-q", "pets", "--plots", plots, "--model", "./nets.py:make_net", "-o", "new")
        assert_refused(done, f"{plots}: nothing can be written into this folder")
    assert not (tmp_path / "new").exists()
