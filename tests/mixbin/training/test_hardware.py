"""Where a training runs, as Lightning is told: precisions, and the processes that torchrun counts."""

import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.hardware import Hardware

CUDA = torch.cuda.is_available()


def test_on_a_cpu_auto_is_float32():
    settings = Hardware(accelerator="cpu").trainer_settings()
    assert settings == {"accelerator": "cpu", "precision": "32", "devices": 1, "strategy": "auto"}
    assert Hardware(accelerator="cpu", precision="bf16-mixed").settled_precision == "bf16-mixed"


@pytest.mark.skipif(not CUDA, reason="no CUDA device on this machine")
def test_on_cuda_auto_is_mixed():
    assert Hardware().settled_precision in ("bf16-mixed", "16-mixed") and Hardware(accelerator="gpu").on_cuda
    with Hardware().computing(model := torch.nn.Linear(2, 2)):
        assert model.weight.is_cuda
    assert not model.weight.is_cuda


def test_several_devices_are_processes_that_end_here():
    place = Hardware(accelerator="cpu", devices=2)
    assert place.spawns and place.trainer_settings()["strategy"] == "ddp_spawn"


def test_torchruns_processes_are_taken_as_they_are(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    place = Hardware(accelerator="cpu", devices=3)
    assert not place.spawns
    assert place.trainer_settings() == {
        "accelerator": "cpu",
        "precision": "32",
        "devices": 4,
        "num_nodes": 2,
        "strategy": "ddp",
    }
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(InputError, match="3 of 8 processes"):
        place.trainer_settings()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "8"}, "unknown precision '8'; choose one of auto, 32, bf16-mixed, 16-mixed"),
        ({"precision": "16-mixed", "accelerator": "cpu"}, "needs a CUDA device"),
        ({"devices": 0}, "at least one device, not 0"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        Hardware(**options)


def test_threads_are_set_inside_alone():
    before = torch.get_num_threads()
    with Hardware(threads=before + 1, accelerator="cpu").computing(torch.nn.Linear(2, 2)):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
