"""The whole loop on real components: a small network, real digits, this machine.

Of whole searches, `make test` runs those of tests/loop, whose network is smaller; these are a sweep.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import b2nn_tvm
from b2nn_tvm import data
from b2nn_tvm.costs.table import CostTable
from b2nn_tvm.errors import BudgetError, DeviceError, InputError, TargetError
from b2nn_tvm.loop import delivery
from b2nn_tvm.loop.results.report_lines import lines
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from b2nn_tvm.plan import Plan
from b2nn_tvm.preprocess.block import block_of
from b2nn_tvm.preprocess.onnx_metadata import Meaning, read_meaning
from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.ties.open_choices import TIE
from tests.support.deploy.short_measurements import IN_CHILDREN
from tests.support.loop.small_search import FOUR_LAYERS, QUICK, few_digits, network, stamps
from tests.support.processor_time import seconds_of_children

ROOT = Path(__file__).parents[2]
MODULE = """
from dataclasses import replace
from b2nn_tvm import data
from b2nn_tvm.models.bireal import BiRealNet

def net(classes):
    options = {"widths": (16,), "blocks": 1, "activation": "binrelu"}
    return BiRealNet(classes=classes, channels=3, image_size=32, stem="cifar", **options)

def few():
    bundle = data.digits()
    return replace(bundle, train=data.TensorImages(bundle.train.images[:256], bundle.train.labels[:256]))
"""
LAYER_BY_LAYER = {"budget": "60%flops", "progressive": "rear", "float_epochs": 0, "epochs": 1, "masks": 0}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> b2nn_tvm.loop.results.result.SearchResult:
    folder = tmp_path_factory.mktemp("search") / "out"
    return b2nn_tvm.search(network(), data=few_digits(), output=folder, also=["arm"], compare=1, bundle=True, **QUICK)


@pytest.mark.sweep
def test_the_measured_time_is_within_the_budget(found) -> None:
    assert found.unit == "ms" and 0 < found.achieved <= found.limit
    assert found.achieved == found.measured_ms == found.row.measured_ms
    assert 0 < len(found.plan.binary) < len(found.scores)
    times = {row.role: row.measured_ms for row in found.rows}
    assert times["binary"] < found.limit < times["float"]


@pytest.mark.sweep
def test_a_plan_of_other_data_is_taken_as_it_is(found, tmp_path: Path) -> None:
    """Digits of half the size in 5 classes: the plan's layers, no scores, and the result says whether the budget
    holds.
    """
    bundle = data.digits()
    small = lambda split: data.TensorImages(split.images[:64, :, ::2, ::2].contiguous(), split.labels[:64] % 5)
    parts = {name: small(getattr(bundle, name)) for name in ("train", "val", "test")}
    other = replace(bundle, input_shape=(3, 16, 16), class_names=tuple("abcde"), preprocess=None, **parts)
    moved = b2nn_tvm.search(
        network(classes=5, image_size=16),
        data=other,
        output=tmp_path,
        budget="90%flops",
        plan=found.folder / "plan.json",
        epochs=0,
        masks=0,
    )
    assert moved.plan.binary == found.plan.binary and moved.plan.digest == found.plan.digest
    assert moved.plan.workloads != found.plan.workloads
    assert not (tmp_path / "state" / "scores").exists()
    assert moved.achieved == moved.predicted
    within = json.loads((tmp_path / "report.json").read_text())["within_budget"]
    assert within is moved.within_budget is (moved.achieved <= moved.limit)  # by how many layers the plan has
    assert not re.search(r"\bnan\b", re.sub(r"data:[^\"]*", "", (tmp_path / "report.html").read_text()))
    assert all(layer.why for layer in moved.layers if layer.precision == "float")


@pytest.mark.sweep
def test_every_file_is_there_and_readable(found) -> None:
    names = {"plan.json", "costs.json", "costs.json.samples", "model.onnx", "report.json", "report.html"}
    names |= {"native", "arm", "state"}
    assert {path.name for path in found.folder.iterdir()} == names
    assert Plan.load(found.folder / "plan.json").binary == found.plan.binary
    costs = CostTable.load(found.folder / "costs.json")
    assert {row.precision for row in costs.layers if row.layer in found.scores} == {"float", "binary"}
    assert len(costs.networks) >= 4
    manifests = {name: json.loads((found.folder / name / "manifest.json").read_text()) for name in ("native", "arm")}
    assert manifests["arm"]["target"]["arch"] == "aarch64"
    assert manifests["native"]["build"]["plan_digest"] == found.plan.digest


@pytest.mark.sweep
def test_what_the_data_mean_goes_to_the_board(found) -> None:
    """With the folder of each library, and with the file for other runtimes."""
    bundle = data.digits()
    assert read_meaning(onnx.load(found.folder / "model.onnx")) == Meaning(bundle.preprocess, bundle.class_names)
    written = json.loads((found.folder / "report.json").read_text())
    assert written["preprocess"] == block_of(bundle.preprocess) and written["labels"] == list(bundle.class_names)
    for folder in found.libraries.values():
        manifest = b2nn_tvm.load(folder).manifest
        assert (manifest.preprocess, manifest.labels) == (bundle.preprocess, bundle.class_names)
        assert (folder / "labels.txt").read_text().split() == list("0123456789")
        label = re.search(r"was not trained on: (\d)\.", (folder / "README.txt").read_text())[1]
        assert int(label) == bundle.test.labels[0]
    with found.load() as artifact, Image.open(artifact.folder / "example.png") as picture:
        given = artifact.manifest.preprocess(picture)
        np.testing.assert_allclose(given, bundle.test.images[:1], atol=0.51 / 255 / bundle.std[0])
        assert artifact.run({"input": given})["output"].argmax() in range(10)


@pytest.mark.sweep
def test_the_report_is_about_the_delivered_network(found) -> None:
    assert found.rounds[-1].time == found.time and found.rounds[-1].binary == found.row.binary
    assert found.rounds[-1].status == found.status == "kept"
    answers = found.answers
    assert answers.images == found.images == 360
    right = sum(after for _, _, _, after in answers.by_class())
    assert right == round(found.library_accuracy * 360)
    assert sum(answers.right_before) - right == answers.lost - answers.gained
    assert {layer.name for layer in found.layers if layer.precision == "binary"} == set(found.plan.binary)
    assert all(layer.ms["float"] > 0 for layer in found.layers)
    assert [end.binary for end in found.ends] == [(), tuple(found.scores)]
    read = b2nn_tvm.load_result(found.folder)
    assert read.rows == found.rows and read.rounds == found.rounds and read.answers == answers


@pytest.mark.sweep
def test_the_library_does_what_the_plan_says(found) -> None:
    with b2nn_tvm.load(found.folder / "native") as artifact:
        compiled = {row.name: row.precision for row in artifact.layers}
        assert {name for name in found.scores if compiled[name] == "binary"} == set(found.plan.binary)


@pytest.mark.sweep
def test_the_library_answers_as_onnxruntime_on_the_test_set(found) -> None:
    oracle = Oracle(found.folder / "model.onnx")
    images = [{"input": image[None]} for image in data.digits().test.images[:64].numpy()]
    clear = [image for image in images if oracle.closest_tie(image) > TIE]  # elsewhere a rounding decides the sign
    assert len(clear) >= 16
    with found.load() as artifact:
        ours = np.concatenate([artifact.run(image)["output"] for image in clear])
    theirs = np.concatenate([oracle.run(image)["output"] for image in clear])
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())
    assert (ours.argmax(1) == theirs.argmax(1)).all()
    assert found.images == 360 and found.agreeing >= 359


@pytest.mark.sweep
def test_the_comparison_is_at_equal_cost_and_effort(found) -> None:
    drawn = [row for row in found.rows if row.role == "random"]
    assert len(drawn) == 1 and drawn[0].binary != found.plan.binary
    assert found.random_accuracy.count == 1
    cost = {row.role: row.predicted_ms for row in found.rows}
    assert cost["random"] == pytest.approx(cost["mixed"], rel=0.25)


@pytest.mark.sweep
def test_a_second_run_does_nothing_again(found) -> None:
    """Where the float network's time was settled anew while the first search went on, the second one states all times
    in it, and the third one does nothing again.
    """
    settings = {"data": few_digits(), "output": found.folder, "also": ["arm"], "compare": 1, **QUICK}
    state = found.folder / "state"
    stamps = {path: path.stat().st_mtime_ns for path in state.rglob("phase.json")}
    reference = stamps[state / "times" / "reference" / "phase.json"]
    before = found
    if reference > min(stamp for path, stamp in stamps.items() if path.parts[-3].endswith("times")):
        before = b2nn_tvm.search(network(), **settings)
        stamps = {path: path.stat().st_mtime_ns for path in state.rglob("phase.json")}
    begin = time.process_time() + seconds_of_children()
    again = b2nn_tvm.search(network(), **settings)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert again.rows == before.rows and again.plan == before.plan
    assert time.process_time() + seconds_of_children() - begin < 30


@pytest.mark.sweep
def test_a_round_over_the_budget_is_kept_by_a_second_run(
    found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first library takes 5 % too long, as on a machine that has become busy; no other one does."""
    shutil.copytree(found.folder / "state", tmp_path / "state")
    busy, measure = [], delivery._measure

    def measure_late(job, artifact, limit_ms):
        time = measure(job, artifact, limit_ms)
        if busy:
            return replace(time, ms=min(time.ms, limit_ms), high_ms=min(time.high_ms, limit_ms))
        busy.append(artifact)
        return replace(time, ms=1.05 * limit_ms, high_ms=1.06 * limit_ms)

    monkeypatch.setattr(delivery, "_measure", measure_late)
    settings = {"data": few_digits(), "output": tmp_path, **QUICK, "epochs": 0}
    first = b2nn_tvm.search(network(), **settings)
    assert len(busy) == 1 and first.achieved <= first.limit
    assert [each.status for each in first.rounds] == ["over", "kept"]
    deliveries = {path: path.stat().st_mtime_ns for path in (tmp_path / "state" / "delivery").rglob("phase.json")}
    assert deliveries  # perhaps of the same layers: those that were measured anew
    again = b2nn_tvm.search(network(), **settings)
    assert again.rows == first.rows and again.plan == first.plan
    assert {path: path.stat().st_mtime_ns for path in deliveries} == deliveries


@pytest.fixture(scope="module")
def observed(found, tmp_path_factory: pytest.TempPathFactory) -> b2nn_tvm.loop.results.result.SearchResult:
    """A search with a budget on the 90th percentile of the observed times, which goes on from the first search.

    The budget in FLOPs makes layers binary; any machine keeps the other one.
    """
    folder = tmp_path_factory.mktemp("observed") / "out"
    for name in ("state", "costs.json.samples"):
        shutil.copytree(found.folder / name, folder / name)
    budget = ["1s@p90", "80%flops"]
    return b2nn_tvm.search(network(), data=few_digits(), output=folder, budget=budget, front=3, **QUICK)


@pytest.mark.sweep
def test_a_budget_on_observed_times_is_about_the_quantile_everywhere(observed) -> None:
    assert observed.quantile == 0.9 and observed.limit == 1000 and observed.within_budget and observed.plan.binary
    assert observed.achieved == observed.measured_ms == observed.row.measured_ms == observed.time.p90_ms
    state = observed.folder / "state"
    paths = [path for path in state.glob("*times/*-of-*/phase.json") if path.parts[-3] != "finer-times"]
    times = [json.loads(path.read_text())["result"] for path in paths]
    p90 = {tuple(time["binary"]): time["p90_ms"] for time in times}
    assert {row.role: row.measured_ms for row in observed.rows}["float"] == p90[()]
    assert observed.attempts and all(each.measured_ms == p90[each.binary] for each in observed.attempts)
    assert observed.front and all(each.ms == p90[each.binary] for each in observed.front)
    assert observed.by_flops.measured_ms == p90[observed.by_flops.binary]
    (file,) = (observed.folder / "costs.json.samples").iterdir()
    samples = [json.loads(line) for line in file.read_text().splitlines()]
    digest = json.loads((observed.folder / "native" / "manifest.json").read_text())["library"]["sha256"]
    assert observed.time.p90_ms == np.percentile(runs_of(digest, samples), 90)


def runs_of(digest: str, samples: list[dict]) -> list[float]:
    """The milliseconds of all runs of a library in the rows of a file of samples."""
    networks, runs = [], []
    for row in samples:
        networks = row.get("networks", networks)
        if row.get("network", -1) >= 0 and networks[row["network"]] == digest:
            runs += row["run_ms"]
    return runs


@pytest.mark.sweep
def test_plan_and_reports_say_which_quantile_the_budget_is_about(observed) -> None:
    plan = Plan.load(observed.folder / "plan.json")
    assert plan == observed.plan and plan.budget == "1s@p90 and 80%flops"
    report = json.loads((observed.folder / "report.json").read_text())
    assert (report["budget"], report["quantile"], report["limit"]) == (plan.budget, 0.9, 1000)
    assert report["achieved"] == report["time"]["p90_ms"] == observed.time.p90_ms
    page = (observed.folder / "report.html").read_text()
    told = f"budget 1000 ms at p90: achieved {observed.time.p90_ms:.4g} ms (kept"
    assert any(line.startswith(told) for line in lines(observed))
    shown = rf'<div class="name">Time at p90</div><div class="value[^"]*">{observed.time.p90_ms:.4g} ms</div>'
    assert re.search(rf'{shown}\s*<div class="remark kept">of 1000 ms ', page)
    assert ">observed p90 ms</th>" in page and f">{observed.time.p90_ms:.4f}</td>" in page


@pytest.mark.sweep
@pytest.mark.parametrize("words", ["ms@p90", "ms"])
def test_the_same_limit_is_judged_by_the_time_that_it_is_about(observed, words: str, tmp_path: Path) -> None:
    """The limit is half-way from the library's undisturbed time to its 90th percentile; the plan is taken as it is."""
    for name in ("state", "costs.json.samples"):
        shutil.copytree(observed.folder / name, tmp_path / name)
    limit = (observed.time.ms + observed.time.p90_ms) / 2
    plan = observed.folder / "plan.json"
    settings = {"data": few_digits(), "output": tmp_path, "plan": plan, "budget": f"{limit}{words}", **QUICK}
    again = b2nn_tvm.search(network(), **settings)
    counts = again.time.p90_ms if words == "ms@p90" else again.time.ms
    assert again.achieved == counts and again.limit == pytest.approx(limit)
    assert again.within_budget == (counts <= again.limit)
    if words == "ms@p90":  # nothing more was measured, so that the undisturbed time is on the other side
        assert again.time == observed.time and again.within_budget != (again.time.ms <= again.limit)


@pytest.mark.sweep
@pytest.mark.parametrize("unit", ["flops", "bytes"])
def test_exact_budgets_are_kept_exactly(unit: str, tmp_path: Path) -> None:
    result = b2nn_tvm.search(
        network(widths=FOUR_LAYERS),
        data=few_digits(test=32),
        output=tmp_path / unit,
        budget=f"50%{unit}",
        masks=0,
        epochs=0,
        method="front",
        input_format="uint8-nhwc",
        precision=0.2,
    )
    assert result.achieved <= result.limit and result.unit == unit
    assert result.agreeing >= result.images - 1  # the torch network sees the same pixels
    with result.load() as artifact:
        assert [(spec.shape, spec.dtype) for spec in artifact.inputs] == [((1, 32, 32, 3), "uint8")]
    if unit == "flops":
        assert b2nn_tvm.flops(network(widths=FOUR_LAYERS), (3, 32, 32), binary=result.plan.binary) == result.achieved


OPTIONS = ConversionOptions("distribution-aware", "rprelu", 1, True)


@pytest.fixture(scope="module")
def layer_by_layer(tmp_path_factory: pytest.TempPathFactory) -> b2nn_tvm.loop.results.result.SearchResult:
    folder = tmp_path_factory.mktemp("progressive") / "out"
    return b2nn_tvm.search(
        network(widths=FOUR_LAYERS), data=few_digits(test=32), output=folder, conversion=OPTIONS, **LAYER_BY_LAYER
    )


@pytest.mark.sweep
def test_the_networks_that_are_measured_are_converted_with_the_options(layer_by_layer) -> None:
    (folder,) = (layer_by_layer.folder / "state" / "networks").glob("4-of-4-*")
    for file in (folder / "model.onnx", layer_by_layer.folder / "model.onnx"):
        nodes = onnx.load(file).graph.node
        binary = [node for node in nodes if node.op_type == "BinaryConv2d"]
        pads = [attribute.f for node in binary for attribute in node.attribute if attribute.name == "pad_value"]
        assert pads == [1.0] * len(binary) and all(len(node.input) == 4 for node in binary)
        assert sum(node.op_type == "PRelu" for node in nodes) == 0  # these blocks have no activation behind their signs
        assert len(binary) == 2 * len(
            layer_by_layer.plan.binary if file.parent == layer_by_layer.folder else layer_by_layer.scores
        )
    assert layer_by_layer.agreeing >= layer_by_layer.images - 1


@pytest.mark.sweep
def test_layers_became_binary_from_the_rear_until_the_budget_was_kept(layer_by_layer) -> None:
    done = [step.layer for step in layer_by_layer.steps]
    assert (
        done == ["stage2.0.conv2", "stage2.0.conv1", "stage1.0.conv2", "stage1.0.conv1"][: len(done)]
        and 0 < len(done) < 4
    )
    assert set(layer_by_layer.plan.binary) == set(done) and layer_by_layer.achieved <= layer_by_layer.limit
    saved = Plan.load(layer_by_layer.folder / "plan.json")
    assert saved.method == "progressive rear" and ConversionOptions(**saved.conversion) == OPTIONS
    written = json.loads((layer_by_layer.folder / "report.json").read_text())
    assert [step["layer"] for step in written["steps"]] == done and written["conversion"]["activation"] == "rprelu"


@pytest.mark.sweep
def test_what_other_options_change_is_done_again_and_nothing_else(layer_by_layer, tmp_path: Path) -> None:
    shutil.copytree(layer_by_layer.folder, tmp_path / "out")
    before = stamps(tmp_path / "out")
    again = lambda **options: b2nn_tvm.search(
        network(widths=FOUR_LAYERS), data=few_digits(test=32), output=tmp_path / "out", **{**LAYER_BY_LAYER, **options}
    )
    assert again(conversion=OPTIONS, floor=0.01).steps == layer_by_layer.steps
    assert stamps(tmp_path / "out") == before
    assert again(epochs=0).plan.conversion == asdict(ConversionOptions())
    after = stamps(tmp_path / "out")
    assert {name for name in before if after[name] == before[name]} == {
        *(name for name in before if "0-of-4" in name or name == "times/reference"),  # the float network's
        "training/parent",
        "answers/float",
    }


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        pytest.param({"budget": "1us"}, BudgetError, "best|fastest|costs at most|within", marks=pytest.mark.sweep),
        ({"device": "attic"}, DeviceError, "attic"),
        ({"target": "vax"}, TargetError, "vax"),
        ({"also": ["vax"]}, TargetError, "vax"),
        ({"method": "magic"}, InputError, "mixbin-loss"),
        ({"rule": "loose", "budget": "50%flops"}, InputError, "strict"),
        ({"epochs": -1}, InputError, "epochs"),
        ({"progressive": "layer-wise-priority"}, InputError, "saves bytes"),
        ({"data": "nothing"}, InputError, "digits"),
    ],
)
def test_what_cannot_be_is_refused_before_training(options: dict, error: type, message: str, tmp_path: Path) -> None:
    settings = {
        "data": "digits",
        "output": tmp_path / "out",
        "masks": 0,
        "float_epochs": 500,
        "precision": 0.2,
        **options,
    }
    with pytest.raises(error, match=message):
        b2nn_tvm.search(network(), **settings)
    assert not (tmp_path / "out" / "plan.json").exists()
    assert not (tmp_path / "out" / "state" / "training").exists()


def start(folder: Path, *words: str) -> subprocess.Popen:
    (folder / "mynets.py").write_text(MODULE)
    command = [
        sys.executable,
        "-m",
        "b2nn_tvm.cli.search",
        "--model",
        "mynets:net",
        "--data",
        "mynets:few",
        "-o",
        "out",
        "--budget",
        "75%flops",
        "--epochs",
        "1",
        "--method",
        "front",
        "--precision",
        "20%",
        *words,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


@pytest.mark.sweep
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = start(tmp_path, "--float-epochs", "500")
    checkpoints = tmp_path / "out" / "state" / "training" / "parent" / "checkpoints"
    deadline = time.monotonic() + 300
    while not list(checkpoints.glob("*.ckpt")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the command and its workers
    stdout, stderr = process.communicate(timeout=240)
    assert process.returncode == 130, stderr
    assert stdout == "" and "Traceback" not in stderr
    assert stderr.splitlines()[-1].startswith("interrupted: ") and "same command again" in stderr
    assert list(checkpoints.glob("*.ckpt"))
    measured = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "state" / "networks").rglob("phase.json")}
    assert measured and not (tmp_path / "out" / "plan.json").exists()

    process = start(tmp_path, "--float-epochs", "1", "--json")
    stdout, stderr = process.communicate(timeout=500)
    assert process.returncode == 0, stderr
    printed = json.loads(stdout)
    assert printed == json.loads((tmp_path / "out" / "report.json").read_text()) and printed["within_budget"] is True
    assert {path: path.stat().st_mtime_ns for path in measured} == measured


@pytest.mark.sweep  # the README has one like it, which `make test` runs
def test_the_example_runs(tmp_path: Path) -> None:
    environment = {**os.environ, **IN_CHILDREN}
    command = [sys.executable, str(ROOT / "examples" / "own_network.py")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "binary: blocks." in done.stdout and "the label is" in done.stdout
    assert (tmp_path / "build" / "own_network" / "report.html").is_file()
