"""Training on a small part of the digits, at 8x8 pixels, with a net of three convolutions."""

import copy
import math
import os
import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm import data as datasets
from b2nn_tvm.cli import output
from b2nn_tvm.data import TensorImages
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.training import finetune as finetuning
from b2nn_tvm.mixbin.training.distill import Distillation, distill_from, distillation_loss
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.train import evaluate, finetune, logits, train


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data():
    whole = datasets.digits()
    small = lambda split, count: TensorImages(F.avg_pool2d(split.images, 4)[:count], split.labels[:count])
    return replace(
        whole,
        train=small(whole.train, 320),
        val=small(whole.val, 100),
        test=small(whole.test, 100),
        input_shape=(3, 8, 8),
    )


def network(seed=0):
    torch.manual_seed(seed)
    block = lambda inputs, outputs: (
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
    return nn.Sequential(
        *block(3, 16),
        *block(16, 16),
        *block(16, 16),
        nn.Dropout(0.1),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


@pytest.fixture(scope="module")
def teacher(data):
    model = network()
    train(model, data, epochs=8, lr=5e-3, batch=32)
    return model


def same(one, other):
    left, right = one.state_dict(), other.state_dict()
    return list(left) == list(right) and all(torch.equal(left[name], right[name]) for name in left)


class StopAfter(Exception):
    pass


def stop_after(steps):
    def report(phase, done, total):
        if done == steps:
            raise StopAfter

    return report


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


def test_torchs_own_random_state_is_left_alone(data):
    model = network()
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    train(model, data, epochs=1)
    assert torch.equal(torch.rand(3), expected)


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


class Told:
    """All that a training says."""

    def __init__(self):
        self.steps, self.epochs, self.phases, self.total = [], [], set(), 0

    def __call__(self, phase, done, total, detail):
        self.phases.add(phase)
        self.total = total
        if done not in self.steps[-1:]:  # the last epoch is told after the last step
            self.steps.append(done)
        if "accuracy" in detail:
            self.epochs.append(detail)


def test_mixed_precision_learns_and_is_a_training_of_its_own(data, tmp_path):
    plain, mixed = network(), network()
    train(plain, data, epochs=3, batch=32, workdir=tmp_path)
    result = train(mixed, data, epochs=3, batch=32, workdir=tmp_path, hardware=Hardware(precision="bf16-mixed"))
    assert len(list(tmp_path.iterdir())) == 2 and not same(plain, mixed)
    assert {tensor.dtype for tensor in mixed.state_dict().values()} == {torch.float32, torch.int64}
    assert result.accuracy > 0.6


def test_mixed_precision_fine_tunes_binary_layers(data, teacher):
    student = convert(teacher, ["3", "6"], learned_threshold=True)
    result = finetune(student, teacher, data, epochs=3, batch=32, hardware=Hardware(precision="bf16-mixed"))
    assert result.accuracy > evaluate(teacher, data.val) - 0.2
    assert student.get_parameter("6.threshold").abs().max() > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_a_gpu_trains_in_mixed_precision_and_gives_the_network_back(data, teacher):
    moving = replace(data, train=replace(data.train, shift=1))  # the teacher runs along
    student = convert(teacher, ["3", "6"])
    result = finetune(student, teacher, moving, epochs=4, batch=32, hardware=Hardware(accelerator="gpu"))
    assert result.accuracy > evaluate(teacher, data.val) - 0.2
    assert not any(tensor.is_cuda for net in (student, teacher) for tensor in net.state_dict().values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_an_accelerator_that_is_not_there_is_refused(data):
    with pytest.raises(InputError, match="cannot run on accelerator 'gpu'"):
        train(network(), data, epochs=1, hardware=Hardware(accelerator="gpu"))


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


def test_the_learning_rate_falls_linearly_and_never_reaches_zero(data, monkeypatch):
    rates = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda self, *a, **k: rates.append(self.param_groups[0]["lr"]) or step(self, *a, **k)
    )
    train(network(), data, epochs=2, lr=0.01, batch=32)
    assert rates == pytest.approx([0.01 * (20 - i) / 20 for i in range(20)])


def test_no_epoch_only_measures(data, teacher):
    model = copy.deepcopy(teacher)
    assert (
        train(model, data, epochs=0).accuracy
        == finetune(model, teacher, data, epochs=0).accuracy
        == evaluate(teacher, data.val)
    )
    assert same(model, teacher)


def test_the_first_stage_has_float_weights_and_the_second_decays_none_of_them(data, teacher, monkeypatch):
    stages = []
    real = finetuning.fit

    def watch(student, *arguments, recipe, **options):
        binary = [module for module in student.modules() if isinstance(module, BinaryConv2d)]
        stages.append((recipe.stage, recipe.epochs, {module.weight_binary for module in binary}, recipe.undecayed))
        return real(student, *arguments, recipe=recipe, **options)

    monkeypatch.setattr(finetuning, "fit", watch)
    student = convert(teacher, ["3", "6"])
    result = finetune(student, teacher, data, epochs=3)
    assert stages == [
        ("binary-activations", 1, {False}, frozenset()),
        ("binary-weights", 2, {True}, frozenset({"3.weight", "6.weight"})),
    ]
    assert all(module.weight_binary for module in student.modules() if isinstance(module, BinaryConv2d))
    assert [record.stage for record in result.history] == ["binary-activations"] + ["binary-weights"] * 2


def test_weights_that_are_undecayed_are_not_decayed(data, teacher):
    """A huge decay shrinks the float convolution and leaves the binary one near its size."""
    student = convert(teacher, ["6"])
    before = {name: student.get_parameter(name).abs().mean().item() for name in ("3.weight", "6.weight")}
    finetune(student, teacher, data, epochs=4, first_stage=0, weight_decay=10.0, lr=3e-3)
    after = {name: student.get_parameter(name).abs().mean().item() for name in before}
    assert after["3.weight"] < 0.7 * before["3.weight"]
    assert after["6.weight"] > 0.85 * before["6.weight"]


def test_fine_tuning_recovers_accuracy(data, teacher):
    student = convert(teacher, ["3", "6"])
    before = evaluate(student, data.val)
    result = finetune(student, teacher, data, epochs=8, batch=32, lr=5e-3)
    assert result.accuracy > before + 0.1
    assert result.accuracy > evaluate(teacher, data.val) - 0.15


def test_distillation_brings_the_student_nearer_to_the_teacher(data, teacher):
    def distance(student):
        images = data.val
        return F.kl_div(
            F.log_softmax(logits(student, images), dim=1),
            F.log_softmax(logits(teacher, images), dim=1),
            reduction="batchmean",
            log_target=True,
        ).item()

    student = convert(teacher, ["3", "6"])
    untrained = distance(student)
    distilled, labels_only = copy.deepcopy(student), copy.deepcopy(student)
    result = finetune(distilled, teacher, data, epochs=6, batch=32, distillation=1.0, first_stage=0)
    finetune(labels_only, teacher, data, epochs=6, batch=32, distillation=0.0, first_stage=0)
    assert result.history[-1].loss < 0.5 * result.history[0].loss
    assert distance(distilled) < 0.5 * untrained
    assert distance(distilled) < distance(labels_only)


def test_the_distillation_loss_is_the_formula():
    torch.manual_seed(0)
    student, teacher_logits, labels = torch.randn(5, 4), torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 0])
    p, q = (torch.softmax(x / 3.0, dim=1) for x in (teacher_logits, student))
    divergence = (p * (p / q).log()).sum() / 5
    expected = 0.6 * 9 * divergence + 0.4 * F.cross_entropy(student, labels)
    found = distillation_loss(student, teacher_logits, labels, temperature=3.0, weight=0.6)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert distillation_loss(student, student, labels, temperature=3.0, weight=1.0).item() == pytest.approx(0, abs=1e-6)


def test_answers_computed_ahead_equal_those_of_the_running_teacher(data, teacher):
    objective, answered = distill_from(teacher, data, temperature=2.0, weight=0.5)
    batch = next(iter(answered.train_loader(16)))
    assert len(batch) == 3
    outputs = torch.randn(16, 10)
    assert objective(outputs, batch).item() == pytest.approx(objective(outputs, batch[:2]).item(), rel=1e-5)
    moving = replace(data, train=replace(data.train, shift=1))
    assert distill_from(teacher, moving, temperature=2.0, weight=0.5)[1] is moving


@pytest.mark.parametrize("steps", [5, 15, 35])
def test_resumed_fine_tuning_equals_an_uninterrupted_one(data, teacher, tmp_path, steps):
    """Stopped in the first epoch, in the first stage, and in the second; each stage has two epochs of 10 steps."""
    run = lambda student, **options: finetune(student, teacher, data, epochs=4, first_stage=0.5, batch=32, **options)
    whole, broken, resumed = (convert(teacher, ["3", "6"]) for _ in range(3))
    expected = run(whole)
    with pytest.raises(StopAfter):
        run(broken, workdir=tmp_path, progress=stop_after(steps))
    assert all(module.weight_binary for module in broken.modules() if isinstance(module, BinaryConv2d))
    assert run(resumed, workdir=tmp_path) == expected
    assert same(whole, resumed)


def test_progress_runs_through_both_stages(data, teacher):
    told = Told()
    result = finetune(convert(teacher, ["3"]), teacher, data, epochs=3, batch=32, progress=told)
    assert told.phases == {"fine-tune"} and told.steps == list(range(1, 31)) and told.total == 30
    assert told.epochs == [f"loss {record.loss:.3f}, accuracy {record.accuracy:.1%}" for record in result.history]


def test_a_student_without_binary_layers_has_one_stage(data, teacher):
    result = finetune(convert(teacher, []), teacher, data, epochs=2)
    assert [record.stage for record in result.history] == ["float", "float"]


def test_it_is_quiet_and_the_bar_goes_to_stderr(data, capfd, monkeypatch):
    train(network(), data, epochs=1)
    assert capfd.readouterr() == ("", "")
    with output.progress() as lines:
        train(network(), data, epochs=1, progress=lines)
    assert capfd.readouterr() == ("", "train ...\n")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich draws bars then, as on a terminal
    with output.progress() as bars:
        train(network(), data, epochs=1, progress=bars)
    printed = capfd.readouterr()
    last = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", printed.err).strip().splitlines()[-1]
    assert printed.out == ""
    assert re.search(r"train .* 5/5 .*left 0:00:00 loss \d\.\d{3}, accuracy \d+\.\d%", last)


def test_nonsense_is_refused(data, teacher):
    with pytest.raises(InputError, match="learning rate is 0"):
        train(network(), data, epochs=1, lr=0)
    with pytest.raises(InputError, match="number of epochs is -1"):
        train(network(), data, epochs=-1)
    with pytest.raises(InputError, match="temperature above 0"):
        Distillation(0.0, 0.5, "", teacher)
    with pytest.raises(InputError, match="first stage"):
        finetune(network(), teacher, data, epochs=1, first_stage=1.0)


def test_a_loss_that_is_no_number_stops_the_training(data):
    broken = replace(data, train=TensorImages(torch.full_like(data.train.images, math.nan), data.train.labels))
    with pytest.raises(InputError, match="loss became nan in epoch 1.*learning rate"):
        train(network(), broken, epochs=2)


SCRIPT = """
import sys, torch
from dataclasses import replace
from torch import nn
from torch.nn import functional as F
from b2nn_tvm import data
from b2nn_tvm.data import TensorImages
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.train import train

def main():
    torch.set_num_threads(1)
    whole = data.digits()
    small = lambda split: TensorImages(F.avg_pool2d(split.images, 4)[:160], split.labels[:160])
    parts = dict(train=small(whole.train), val=small(whole.val), test=small(whole.test))
    bundle = replace(whole, **parts, input_shape=(3, 8, 8))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    {body}

if __name__ == "__main__":
    main()
"""


def run_script(body, tmp_path, *launcher):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("{body}", textwrap.indent(textwrap.dedent(body), "    ").strip()))
    root = str(Path(__file__).parents[3])
    paths = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *launcher, str(script)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupt(process):
    """Press Ctrl-C until it is heard: the interpreter drops an interrupt that it raises inside a finalizer."""
    for _ in range(4):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("four interrupts in four minutes did not stop the training")


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
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    processes = [run_script(body, folders[0]), run_script(body, folders[1], *torchrun)]
    printed = [process.communicate(timeout=400) for process in processes]
    lines = [[line for line in out.splitlines() if line.startswith("result")] for out, _ in printed]
    assert len(lines[0]) == 1 and len(lines[1]) == 2, printed
    assert {*lines[0], *lines[1]} == {lines[0][0]} and lines[0][0].endswith("True 1")
    steps = [[line for line in out.splitlines() if line.startswith("step")] for out, _ in printed]
    assert list(dict.fromkeys(steps[1])) == [f"step 0 {done}" for done in range(1, 11)]
    assert list(dict.fromkeys(steps[0])) == [f"step None {done}" for done in range(1, 11)]  # in the process that waits


def test_processes_that_start_from_different_networks_are_refused(tmp_path):
    body = """
        import os

        torch.nn.init.normal_(model[4].weight, generator=torch.Generator().manual_seed(int(os.environ["RANK"])))
        try:
            train(model, bundle, epochs=1, hardware=Hardware(accelerator="cpu"))
        except Exception as error:
            print(type(error).__name__, error, flush=True)
            os._exit(1)
    """
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    out, errors = run_script(body, tmp_path, *torchrun).communicate(timeout=300)
    assert "InputError process 1 starts from" in out and "seed the network alike" in out, errors
