"""A stage goes on from its own checkpoint and from no other one; Ctrl-C and missing hardware are told."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.train import train
from tests.support.mixbin.training import StopAfter, Told, network, same, stop_after
from tests.support.mixbin.training_script import interrupt, run_script


@pytest.mark.parametrize(("steps", "precision"), [(15, "32"), (21, "32"), (15, "bf16-mixed")])
def test_a_resumed_training_equals_an_uninterrupted_one(data, tmp_path, steps, precision):
    """Stopped in the second of three epochs of 10 steps, and between the second and the third."""
    hardware = Hardware(precision=precision)
    run = lambda model, **options: train(model, data, epochs=3, batch=32, hardware=hardware, **options)
    whole, broken, resumed = network(), network(), network()
    expected = run(whole)
    with pytest.raises(StopAfter):
        run(broken, workdir=tmp_path, progress=stop_after(steps))
    told = Told()
    assert run(resumed, workdir=tmp_path, progress=told) == expected
    assert told.steps == list(range(steps // 10 * 10 + 1, 31))
    assert told.phases == {"train"} and told.total == 30
    assert told.epochs == [
        f"loss {record.loss:.3f}, accuracy {record.accuracy:.1%}" for record in expected.history[steps // 10 :]
    ]
    assert same(whole, resumed)


def test_a_finished_training_is_not_repeated(data, tmp_path):
    first, again, calls = network(), network(), []
    expected = train(first, data, epochs=2, workdir=tmp_path)
    result = train(again, data, epochs=2, workdir=tmp_path, progress=lambda *call: calls.append(call))
    assert calls == [] and same(first, again) and result == expected


def test_another_run_in_the_same_workdir_starts_over(data, tmp_path):
    train(network(), data, epochs=2, workdir=tmp_path)
    for changes in ({"lr": 1e-4}, {"seed": 1}, {"batch": 16}, {"label_smoothing": 0.1}):
        assert _first_step(network(), data, workdir=tmp_path, **changes) == 1
    assert _first_step(network(seed=1), data, workdir=tmp_path) == 1


def _first_step(model, data, **options):
    calls = []
    train(model, data, epochs=2, progress=lambda phase, done, total: calls.append(done), **options)
    return calls[0]


def test_a_damaged_checkpoint_says_what_to_do(data, tmp_path):
    train(network(), data, epochs=1, workdir=tmp_path)
    (checkpoint,) = tmp_path.iterdir()
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged checkpoint.*delete it"):
        train(network(), data, epochs=1, workdir=tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_an_accelerator_that_is_not_there_is_refused(data):
    with pytest.raises(InputError, match="cannot run on accelerator 'gpu'"):
        train(network(), data, epochs=1, hardware=Hardware(accelerator="gpu"))


def test_ctrl_c_is_passed_on_and_leaves_a_checkpoint(tmp_path):
    body = f"""
        import signal
        before = signal.getsignal(signal.SIGINT)
        say = lambda phase, done, total: print(done, flush=True)
        try:
            train(model, bundle, epochs=2000, batch=32, workdir={str(tmp_path / "work")!r}, progress=say)
        except KeyboardInterrupt:
            print("interrupted", signal.getsignal(signal.SIGINT) is before, flush=True)
    """
    process = run_script(body, tmp_path)
    for line in process.stdout:
        if int(line) >= 12:
            break
    rest, errors = interrupt(process)
    assert rest.splitlines()[-1] == "interrupted True" and errors == ""
    (checkpoint,) = (tmp_path / "work").iterdir()
    assert torch.load(checkpoint, weights_only=True)["epoch"] >= 1
