"""Files as they lie around: read, refused with what they are, and never run."""

from __future__ import annotations

import argparse
import collections
import datetime
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.read_checkpoint import read_checkpoint

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3)}


class Evil:
    def __reduce__(self):
        return os.mkdir, ("it-ran",)


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Linear(3, 2)


BESIDE = {
    "namespace": argparse.Namespace(lr=0.1, when=datetime.timedelta(3), where=Path("runs")),
    "numpy scalar": np.float64(93.1),
    "numpy integer": np.int64(3),
    "numpy array": np.arange(3),
    "numpy dtype": np.dtype("f4"),
    "numpy bool": np.bool_(True),
    "defaultdict": collections.defaultdict(list, {"loss": [1.0]}),
    "deque": collections.deque([1, 2], maxlen=3),
    "complex": 3 + 4j,
    "scheduler": torch.optim.lr_scheduler.StepLR(torch.optim.SGD([torch.zeros(1)]), 1),
    "criterion": torch.nn.CrossEntropyLoss(),
    "version": torch.__version__,
}


@pytest.mark.parametrize(
    ("beside", "new"), [*((name, True) for name in BESIDE), *((name, False) for name in BESIDE if name != "criterion")]
)
def test_plain_data_beside_the_weights_does_no_harm(tmp_path: Path, beside: str, new: bool) -> None:
    content = {"state_dict": WEIGHTS, "beside": BESIDE[beside]}
    torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
    assert torch.equal(read_checkpoint(tmp_path / "a.pt")["state_dict"]["a.weight"], WEIGHTS["a.weight"])


@pytest.mark.parametrize("new", [True, False])
def test_what_would_run_is_named_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: bool) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": WEIGHTS, "evil": Evil()}, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
    with pytest.raises(InputError, match=f'it holds objects of {os.name}.mkdir, .*torch.save.*"a-weights.pt"'):
        read_checkpoint(tmp_path / "a.pt")
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize(
    ("wrap", "place", "new"),
    [
        (lambda net: net, "", True),
        (lambda net: net, "", False),
        (lambda net: {"model": net, "epoch": 3}, '["model"]', True),
        (torch.nn.DataParallel, "", True),
    ],
)
def test_a_whole_module_is_refused_with_the_two_lines_that_help(tmp_path: Path, wrap, place: str, new: bool) -> None:
    net = Net()
    torch.save(wrap(net), tmp_path / "a.pt", _use_new_zipfile_serialization=new)
    with pytest.raises(InputError, match="a.pt: .*whole pickled module") as error:
        read_checkpoint(tmp_path / "a.pt")
    lines = str(error.value).partition(": model = ")[2].replace('"a', f'"{tmp_path}/a').split("; ")
    assert lines[0].endswith(f"weights_only=False){place}")
    scope = {"torch": torch}
    exec(f"model = {lines[0]}\n{lines[1]}", scope)
    read = read_checkpoint(tmp_path / "a-weights.pt")
    assert torch.equal(next(iter(read.values())), net.a.weight)


def test_modules_of_torch_alone_are_modules_too(tmp_path: Path) -> None:
    torch.save(torch.nn.Sequential(torch.nn.Linear(3, 2)), tmp_path / "a.pt")
    with pytest.raises(InputError, match="whole pickled module"):
        read_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_newer_protocols_of_pickle(tmp_path: Path, protocol: int) -> None:
    torch.save(WEIGHTS, tmp_path / "a.pt", pickle_protocol=protocol)
    if protocol == 3:
        assert torch.equal(read_checkpoint(tmp_path / "a.pt")["a.weight"], WEIGHTS["a.weight"])
        return
    with pytest.raises(InputError, match=f"a.pt: .*cannot be read: pickle protocol {protocol}.*with protocol 2"):
        read_checkpoint(tmp_path / "a.pt")


def test_words_of_torch_for_programmers_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise pickle.UnpicklingError(
            "Weights only load failed. In PyTorch 2.6 ...\n\tWeightsUnpickler error: no x\n\nSee"
        )

    torch.save(WEIGHTS, tmp_path / "a.pt")
    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(InputError, match="but it cannot be read: no x$"):
        read_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize("new", [True, False])
def test_files_cut_short(tmp_path: Path, new: bool) -> None:
    torch.save(WEIGHTS, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
    content = (tmp_path / "a.pt").read_bytes()
    for length in range(1, len(content) - 30, 60):
        (tmp_path / "b.pt").write_bytes(content[:length])
        with pytest.raises(InputError, match="b.pt: .*cannot be read"):
            read_checkpoint(tmp_path / "b.pt")


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_checkpoint(tmp_path / "a.pt")
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(InputError, match="a folder, which holds model.safetensors"):
        read_checkpoint(tmp_path)
