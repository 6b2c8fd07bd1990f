"""Phases are computed once, again only where something changed, and survive an interruption."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.storage.phase_cache import State, digest


class Counter:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder: Path) -> dict:
        self.calls += 1
        (folder / "weights.bin").write_bytes(b"1234")
        return {"accuracy": 0.5, "names": ["a", "b"]}


def test_a_finished_phase_is_not_computed_again(tmp_path: Path) -> None:
    compute = Counter()
    first = State(tmp_path).run("train", {"epochs": 3}, compute)
    state = State(tmp_path)
    assert state.run("train", {"epochs": 3}, compute) == first == {"accuracy": 0.5, "names": ["a", "b"]}
    assert compute.calls == 1
    assert state.reused == ["train"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "train" / "weights.bin").unlink(),
        lambda folder: (folder / "train" / "weights.bin").write_bytes(b"123"),
        lambda folder: (folder / "train" / "phase.json").write_text("{"),
    ],
    ids=["file gone", "file cut short", "document broken"],
)
def test_a_damaged_phase_is_computed_again(tmp_path: Path, spoil) -> None:
    compute = Counter()
    State(tmp_path).run("train", {}, compute)
    spoil(tmp_path)
    State(tmp_path).run("train", {}, compute)
    assert compute.calls == 2


def test_other_inputs_compute_again_and_drop_old_files(tmp_path: Path) -> None:
    compute = Counter()
    State(tmp_path).run("train", {"epochs": 3}, lambda folder: (folder / "old").write_text("x") and {})
    State(tmp_path).run("train", {"epochs": 4}, compute)
    assert compute.calls == 1
    assert not (tmp_path / "train" / "old").exists()


def test_fresh_forgets_everything(tmp_path: Path) -> None:
    compute = Counter()
    State(tmp_path).run("train", {}, compute)
    State(tmp_path, fresh=True).run("train", {}, compute)
    assert compute.calls == 2


def test_an_interrupted_phase_finds_its_checkpoint(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> dict:
        (folder / "checkpoint").write_text("epoch 2")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        State(tmp_path).run("train", {"epochs": 3}, interrupted)
    seen = State(tmp_path).run("train", {"epochs": 3}, lambda folder: {"from": (folder / "checkpoint").read_text()})
    assert seen == {"from": "epoch 2"}


def test_its_paths_are_those_of_other_processes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders: list[Path] = []
    State(Path("out")).run("train", {}, lambda folder: folders.append(folder) or {})
    assert folders == [tmp_path / "out" / "train"]


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})
