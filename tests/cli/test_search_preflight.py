"""What cannot end is refused in seconds, before anything is measured, and called by its name."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.cli.commands import Run, assert_refused
from tests.support.loop.faulty_inputs import MODULE, write_inputs

SECONDS = 60  # on a busy machine, with the start of a program; what is measured or trained is looked for as well


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(MODULE.splitlines(), 1) if text in line)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write_inputs(tmp_path)


def refused(run: Run, folder: Path, *words: str, parts: tuple[str, ...]) -> None:
    begun = time.monotonic()
    done = run("search", "-q", "-o", "out", "--epochs", "1", "--float-epochs", "1", *words)
    assert_refused(done, *parts)
    assert time.monotonic() - begun < SECONDS
    assert "a fault of this program" not in done.stderr and "Traceback" not in done.stderr
    assert list((folder / "out").rglob("phase.json")) == [] and not (folder / "out" / "costs.json.samples").exists()


def named(folder: Path, factory: str) -> str:
    """The factory in a module of its own, as modules of one name are imported once in a process."""
    module = f"nets_{abs(hash(str(folder)))}"
    (folder / f"{module}.py").write_text(MODULE, encoding="utf-8")
    return f"{module}:{factory}"


@pytest.mark.parametrize(
    ("factory", "parts"),
    [
        ("nested", ("class scores of shape [N, 3]", "scores.boxes")),
        ("two_scores", ("gives 2 scores", "has 3 classes")),
        ("broken", ("your factory fails with TypeError",)),
        ("frozen", ("the first step of training, on 2 images, fails", "does not require grad")),
        ("absent", ("has no function 'absent'",)),
        ("mak_net", ("did you mean make_net?",)),
    ],
)
def test_networks(here: Run, tmp_path: Path, pets: Path, factory: str, parts: tuple[str, ...]) -> None:
    refused(here, tmp_path, str(pets), "--model", named(tmp_path, factory), parts=parts)


@pytest.mark.parametrize(
    ("factory", "parts"),
    [
        ("unreadable", ("reading 2 images of the train split fails with KeyError", "photo 7 has no row", ".py:")),
        ("labels_from_one", ("a label of the train split is 3", "0 to 2")),
        ("no_bundle", ("your factory fails with TypeError", "wrong", f".py:{line_of('good = Images()') + 1}")),
    ],
)
def test_data_sets(here: Run, tmp_path: Path, factory: str, parts: tuple[str, ...]) -> None:
    word = named(tmp_path, factory)
    refused(here, tmp_path, "--data", word, "--model", word.replace(factory, "make_net"), parts=parts)


def test_bad_images_of_all_splits_are_named_in_a_program_of_its_own(run: Run, tmp_path: Path, pets: Path) -> None:
    train, val = pets / "train" / "dog" / "2.png", pets / "val" / "cat" / "1.png"
    train.write_bytes(train.read_bytes()[:200])
    val.write_bytes(b"<html>")
    words = ("pets", "--model", "./nets.py:make_net")
    parts = ("2 of 18 images cannot be read", "dog/2.png: not a readable image (", "cat/1.png: not", "--skip-bad 2")
    refused(run, tmp_path, *words, parts=parts)


def test_bad_images_may_be_left_out(here: Run, tmp_path: Path, pets: Path) -> None:
    """Then the next fault is found: there is no room for the results."""
    for name in ("val/cat/1.png", "train/dog/2.png"):
        (pets / name).write_bytes(b"<html>")
    words = ("--model", named(tmp_path, "make_net"), "--skip-bad")
    refused(here, tmp_path, "pets", *words, "1", parts=("2 of 18 images cannot be read, more than the 1",))
    (pets / "train" / "dog" / "2.png").unlink()
    (tmp_path / "out").touch()
    done = here("search", "pets", *words, "1", "-o", "out")
    assert done.returncode == 1 and "1 of 17 images cannot be read and is left out" in done.stderr
    assert "out: nothing can be written into this folder (" in done.stderr.splitlines()[-1]


def test_doubts_are_told(here: Run, tmp_path: Path, pets: Path) -> None:
    """More threads than CPUs, and a class without validation images; the folder that is a file ends it."""
    for number in range(3):
        (pets / "val" / "owl" / f"{number}.png").unlink()
    (tmp_path / "out").touch()
    words = ("search", "pets", "--threads", "200", "--model", named(tmp_path, "make_net"), "-o", "out")
    done = here(*words)
    assert done.returncode == 1
    assert "note: 200 threads share" in done.stderr and "val: has no images of owl" in done.stderr
