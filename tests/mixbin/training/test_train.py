"""Training on a small part of the digits, at 8x8 pixels, with a net of three convolutions."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from b2nn_tvm.mixbin.training.finetune import finetune
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.train import evaluate, logits, train
from tests.support.mixbin.training import network, same
from tests.support.mixbin.training_script import TORCHRUN, run_script


def test_training_learns(teacher, data):
    assert evaluate(network(), data.val_loader()) < 0.3
    assert evaluate(teacher, data.val_loader()) > 0.9
    assert not teacher.training


def test_the_result_tells_each_epoch_and_the_final_accuracy(data):
    model = network()
    result = train(model, data, epochs=3, batch=32)
    assert [(record.stage, record.epoch) for record in result.history] == [("float", 1), ("float", 2), ("float", 3)]
    losses = [record.loss for record in result.history]
    assert losses == sorted(losses, reverse=True)
    assert result.accuracy == evaluate(model, data.val_loader()) == evaluate(model, data.val)


def test_the_same_seed_gives_the_same_weights(data):
    first, second, other = network(), network(), network()
    results = [train(model, data, epochs=2, seed=5) for model in (first, second)]
    train(other, data, epochs=2, seed=6)
    assert same(first, second) and results[0] == results[1]
    assert not same(first, other)


def test_a_class_that_weighs_more_is_answered_more_often(data):
    plain, weighted = network(), network()
    train(plain, data, epochs=1, batch=32)
    train(weighted, replace(data, class_weights=(1.0,) * 9 + (30.0,)), epochs=1, batch=32)
    nines = lambda model: int((logits(model, data.val).argmax(1) == 9).sum())
    assert nines(weighted) > nines(plain)


def test_torchs_own_random_state_is_left_alone(data):
    model = network()
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    train(model, data, epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_mixed_precision_learns_and_is_a_training_of_its_own(data, tmp_path):
    plain, mixed = network(), network()
    train(plain, data, epochs=3, batch=32, workdir=tmp_path)
    result = train(mixed, data, epochs=3, batch=32, workdir=tmp_path, hardware=Hardware(precision="bf16-mixed"))
    assert len(list(tmp_path.iterdir())) == 2 and not same(plain, mixed)
    assert {tensor.dtype for tensor in mixed.state_dict().values()} == {torch.float32, torch.int64}
    assert result.accuracy > 0.6


def test_no_epoch_only_measures(data, teacher):
    model = copy.deepcopy(teacher)
    assert (
        train(model, data, epochs=0).accuracy
        == finetune(model, teacher, data, epochs=0).accuracy
        == evaluate(teacher, data.val)
    )
    assert same(model, teacher)


@pytest.mark.sweep
def test_two_processes_train_one_network_whoever_starts_them(tmp_path):
    """Started by the training itself, and by torchrun, over loopback."""
    body = """
        import hashlib, os
        from pathlib import Path

        def write(*words):  # a line in one piece, for torchrun's processes share one unbuffered output
            os.write(1, (" ".join(map(str, words)) + os.linesep).encode())

        say = lambda phase, done, total: write("step", os.environ.get("RANK"), done)
        work = Path(__file__).parent / "work"
        place = Hardware(devices=2, accelerator="cpu")
        result = train(model, bundle, epochs=2, batch=16, lr=1e-2, progress=say, hardware=place, workdir=work)
        falling = result.history[-1].loss < result.history[0].loss
        state = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
        write("result", hashlib.sha256(state).hexdigest(), result, falling, len(list(work.iterdir())))
    """
    folders = [tmp_path / "spawn", tmp_path / "torchrun"]
    for folder in folders:
        folder.mkdir()
    processes = [run_script(body, folders[0]), run_script(body, folders[1], *TORCHRUN)]
    printed = [process.communicate(timeout=400) for process in processes]
    lines = [[line for line in out.splitlines() if line.startswith("result")] for out, _ in printed]
    assert len(lines[0]) == 1 and len(lines[1]) == 2, printed
    assert {*lines[0], *lines[1]} == {lines[0][0]} and lines[0][0].endswith("True 1")
    steps = [[line for line in out.splitlines() if line.startswith("step")] for out, _ in printed]
    assert list(dict.fromkeys(steps[1])) == [f"step 0 {done}" for done in range(1, 11)]
    assert list(dict.fromkeys(steps[0])) == [f"step None {done}" for done in range(1, 11)]  # in the process that waits
