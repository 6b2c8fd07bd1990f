"""b2nn-run --profile: a row of JSON for each run as it comes, and a measurement at the end."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.deploy.devices.system_facts import Conditions, DeviceDescription
from b2nn_tvm.deploy.latency.measure import Measurement
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.library_files import RUNNER
from b2nn_tvm.deploy.library.manifest import read_manifest
from tests.support.deploy.handmade import program
from tests.support.deploy.runner_process import output_words, refused, start


@pytest.fixture
def outputs(tmp_path) -> tuple[Path, Path]:
    return tmp_path / "out.npy", tmp_path / "tasks.npy"


def rows_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_rows_and_statistics(net, tmp_path, outputs):
    done = start(net, "--profile", "--runs", 12, "--profiles", 4, "--threads", 2, *output_words(outputs))
    assert (done.returncode, done.stderr) == (0, "")
    first, *middle, last = rows_of(done.stdout)
    manifest = read_manifest(net)
    assert (first["row"], first["kind"], first["format_version"]) == ("start", "b2nn-profile", 1)
    assert (first["model_id"], first["abi_version"]) == (manifest.library.model_id, manifest.library.abi_version)
    assert (first["threads"], first["warmup"]) == (2, 3)
    assert first["step_layers"] == [step.layer for step in manifest.steps]
    runs = np.array([row["ms"] for row in middle if row["row"] == "run"])
    steps = np.array([row["ms"] for row in middle if row["row"] == "steps"])
    assert (runs.shape, steps.shape, [row["row"] for row in middle[:12]]) == ((12,), (4, 4), ["run"] * 12)
    assert last["row"] == "end"
    assert [last[f"{name}_ms"] for name in ("p10", "median", "p90", "min")] == pytest.approx(
        [*np.percentile(runs, [10, 50, 90]), runs.min()], abs=2e-6
    )
    rounding = 2e-6 / last["median_ms"]  # a run takes less than a microsecond, and nanoseconds are printed
    assert last["spread"] == pytest.approx(
        (last["p90_ms"] - last["p10_ms"]) / last["median_ms"], rel=1e-2, abs=rounding
    )
    medians = np.median(steps, axis=0)  # every step has a layer of its own
    assert [row["name"] for row in last["per_layer"]] == first["step_layers"]
    assert [row["median_ms"] for row in last["per_layer"]] == pytest.approx(medians, abs=2e-6)
    assert [row["min_ms"] for row in last["per_layer"]] == pytest.approx(steps.min(axis=0), abs=2e-6)
    assert [row["share"] for row in last["per_layer"]] == pytest.approx(medians / medians.sum(), abs=1e-2)
    assert int(np.load(outputs[1])) == 2  # outputs are those of the last run


def test_the_last_row_has_the_observed_times_of_a_measurement(net):
    last = rows_of(start(net, "--profile", "--runs", 2).stdout)[-1]
    of_bursts = {"undisturbed_ms", "low_ms", "high_ms", "p99_ms", "disturbance"}
    assert set(last) - {"row"} == set(Measurement.__dataclass_fields__) - of_bursts
    device = DeviceDescription(**last["device"])
    assert (device.arch, device.emulated) == (platform.machine(), False)
    assert device.cpus >= 1 and device.memory_mib > 0 and device.cpu
    assert Conditions(**last["conditions"]).mhz >= 0
    assert (last["target"], last["isa"], last["runs"], last["profiles"]) == ("native", "avx2", 2, 2)


def test_steps_of_one_layer_are_summed(workshop):
    base = program("shift_one", "shift_one")
    steps = tuple(replace(step, layer='the "only" one') for step in base.steps)
    build_library(replace(base, steps=steps), [workshop.kernels()], workshop.target(), workshop.folder / "one layer")
    rows = rows_of(start(workshop.folder / "one layer", "--profile", "--runs", 3).stdout)
    sums = [sum(row["ms"]) for row in rows if row["row"] == "steps"]
    (layer,) = rows[-1]["per_layer"]
    assert (layer["name"], layer["share"]) == ('the "only" one', 1)
    assert layer["median_ms"] == pytest.approx(np.median(sums), abs=5e-6)


def test_it_repeats_for_the_seconds_asked_for(net):
    begun = time.monotonic()
    rows = rows_of(start(net, "--profile", "--seconds", "0.2").stdout)
    assert time.monotonic() - begun < 180
    assert sum(row["row"] == "run" for row in rows) >= 10
    assert sum(row["row"] == "steps" for row in rows) >= 5


@pytest.mark.parametrize(("runs", "profiles"), [(0, 2), (2, 0), (0, 0)])
def test_what_was_not_measured_has_no_figure(net, runs, profiles):
    last = rows_of(start(net, "--profile", "--runs", runs, "--profiles", profiles).stdout)[-1]
    assert (last["median_ms"] is None, last["runs"]) == (runs == 0, runs)
    assert (last["per_layer"] == []) == (profiles == 0)


def test_rows_come_while_it_runs(net):
    """What was measured before the end is there, line by line, when the process is killed."""
    with subprocess.Popen(
        [net / RUNNER, "--profile", "--seconds", "600"], stdout=subprocess.PIPE, text=True
    ) as process:
        rows = [json.loads(process.stdout.readline()) for _ in range(30)]
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
    assert [row["row"] for row in rows] == ["start"] + ["run"] * 29


def test_a_full_disk_is_an_error(net):
    with open("/dev/full", "w") as full:
        for words in (["--profile"], [], ["--describe"]):
            done = subprocess.run([net / RUNNER, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "error: cannot write to stdout")


def test_a_failing_kernel_is_named(workshop, x, tmp_path):
    folder = workshop.build("fail_if_negative", "shift_one", name="runner fails")
    np.ones_like(x).tofile(tmp_path / "x")
    message = "error: step 1 (fail_if_negative, layer layer 0) failed with status 7"
    assert refused(folder, "--input", tmp_path / "x") == message
    done = start(folder, "--input", tmp_path / "x", "--profile")
    assert (done.returncode, done.stderr) == (1, f"{message}\n")
    assert [row["row"] for row in rows_of(done.stdout)] == ["start"]
