"""b2nn-run as it is started on a board: tensors in files, the best classes, rows of times, and what it refuses."""

from __future__ import annotations

import json
import platform
import re
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.deploy.build import LIBRARY, RUNNER, RUNNER_SOURCES, RUNTIME, build_library
from b2nn_tvm.deploy.manifest import read_manifest
from b2nn_tvm.deploy.measure import Measurement
from b2nn_tvm.deploy.system import Conditions, DeviceDescription, cpu_name
from b2nn_tvm.targets import target as targets
from b2nn_tvm.version import __version__
from tests.deploy.handmade import N, expected, program


def start(net: Path, *words: object, **options) -> subprocess.CompletedProcess:
    command = [net / RUNNER, *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)


def refused(net: Path, *words: object, status: int = 1) -> str:
    """The one line that says what is wrong."""
    done = start(net, *words)
    assert (done.returncode, done.stdout) == (status, ""), done
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def files(tmp_path):
    return lambda: [tmp_path / "out.npy", tmp_path / "tasks.npy"]


def output_words(paths) -> list[object]:
    return [word for path in paths for word in ("--output", path)]


# ---- tensors in files


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_goes_in_and_out(net, x, tmp_path, files, version):
    with open(tmp_path / "x.npy", "wb") as file:
        np.lib.format.write_array(file, x, version=version)
    done = start(net, "--input", tmp_path / "x.npy", *output_words(files()))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    result, tasks = map(np.load, files())
    np.testing.assert_array_equal(result, expected(x) + 1)
    assert (result.shape, result.dtype, tasks.shape, tasks.dtype, int(tasks)) == ((1, N), "float32", (), "int32", 1)
    raw = files()[0].read_bytes()
    assert (raw[:8], raw[127:128]) == (b"\x93NUMPY\x01\x00", b"\n")  # the values start on a multiple of 64


def test_raw_values_go_in_and_out(net, x, tmp_path):
    x.tofile(tmp_path / "x.f32")
    outputs = output_words([tmp_path / "out", tmp_path / "tasks"])
    assert start(net, "--input", tmp_path / "x.f32", "--threads", 3, *outputs).returncode == 0
    np.testing.assert_array_equal(np.fromfile(tmp_path / "out", "float32")[None], expected(x) + 1)
    assert np.fromfile(tmp_path / "tasks", "int32") == [3]


def test_a_row_has_no_order(net, x, tmp_path, files):
    np.save(tmp_path / "x.npy", np.asfortranarray(x))
    assert start(net, "--input", tmp_path / "x.npy", *output_words(files())).returncode == 0
    np.testing.assert_array_equal(np.load(files()[0]), expected(x) + 1)


WRONG = {
    "float64": (
        np.zeros((1, N)),
        'input input takes float32, the file holds float64; convert it with .astype("float32")',
    ),
    "big-endian": (np.zeros((1, N), ">f4"), "input input takes float32, the file holds >f4; convert"),
    "no numbers": (np.zeros(N, [("a", "f4")]), "the values of this .npy file are no plain numbers"),
    "one axis": (np.zeros(N, "f4"), "input input takes shape 1x1000, the file holds 1000"),
    "an axis more": (np.zeros((1, N, 1), "f4"), "input input takes shape 1x1000, the file holds 1x1000x1"),
    "another extent": (np.zeros((2, N), "f4"), "input input takes shape 1x1000, the file holds 2x1000"),
    "a scalar": (np.zeros((), "f4"), "input input takes shape 1x1000, the file holds scalar"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arrays_are_named(net, tmp_path, case):
    array, message = WRONG[case]
    np.save(tmp_path / "x.npy", array)
    assert refused(net, "--input", tmp_path / "x.npy").startswith(f"error: {tmp_path / 'x.npy'}: {message}")


def npy(array: np.ndarray) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {array.shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + array.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-1], "input input takes 4000 bytes (float32, 1x1000), the file holds fewer"),
        (lambda b: b + b"\0", "input input takes 4000 bytes (float32, 1x1000), the file holds more"),
        (lambda b: b[:30], "the file ends within the header"),
        (lambda b: b[:7], "a version of the .npy format that this program does not know"),
        (lambda b: b[:6] + b"\x09" + b[7:], "a version of the .npy format that this program does not know"),
        (lambda b: b[:6] + b"\x02\x00" + b"\xff" * 4 + b[12:], "the header of this .npy file is damaged"),
        (lambda b: b.replace(b"'shape'", b"'shame'"), "the header of this .npy file is damaged"),
        (lambda b: b.replace(b"(1, 1000)", b"(1, lots)"), "input input takes shape 1x1000, the file holds 1"),
        (lambda b: b.replace(b": False", b": True "), "the values of this .npy file are in column-major order"),
        (lambda b: b[8:], "this is no .npy file; raw values need another ending"),
        (lambda b: b"", "this is no .npy file; raw values need another ending"),
    ],
)
def test_damaged_files_are_named(net, x, tmp_path, change, message):
    (tmp_path / "x.npy").write_bytes(change(npy(x)))
    assert refused(net, "--input", tmp_path / "x.npy").startswith(f"error: {tmp_path / 'x.npy'}: {message}")


def test_files_that_are_not_there_are_named(net, x, tmp_path):
    none = tmp_path / "none" / "x"
    assert (
        refused(net, "--input", none)
        == f"error: {none}: cannot open this file for input input: No such file or directory"
    )
    outputs = output_words([none, tmp_path / "tasks"])
    assert (
        refused(net, *outputs) == f"error: {none}: cannot open this file for output output: No such file or directory"
    )
    full = output_words(["/dev/full", tmp_path / "tasks"])
    assert refused(net, *full) == "error: /dev/full: cannot write output output: No space left on device"


# ---- the best classes


def best(done: subprocess.CompletedProcess) -> list[tuple[int, float, str]]:
    rows = re.findall(r"^ *\d+\. class (\d+) +(\S+)(?:  (.*))?$", done.stdout, re.MULTILINE)
    assert len(rows) == len(done.stdout.splitlines())
    return [(int(index), float(score), label) for index, score, label in rows]


def test_the_best_classes_are_printed(net, x, tmp_path):
    x.tofile(tmp_path / "x.f32")
    done = start(net, "--input", tmp_path / "x.f32", "--top", 7)
    scores = (expected(x) + 1)[0]
    order = np.argsort(-scores, kind="stable")[:7]
    assert [index for index, _, _ in best(done)] == order.tolist()
    assert [score for _, score, _ in best(done)] == pytest.approx(scores[order], abs=1e-5)
    assert done.stderr == ""


def test_ties_keep_their_order_and_what_is_no_number_comes_last(net, x, tmp_path):
    x[:] = np.nan
    x[0, [3, 500, 999]] = 0
    x.tofile(tmp_path / "x.f32")
    rows = best(start(net, "--input", tmp_path / "x.f32", "--top", 1_000_000))
    assert [index for index, _, _ in rows] == [3, 500, 999] + [i for i in range(N) if i not in (3, 500, 999)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_labels_name_them(net, x, tmp_path, end, last):
    x.tofile(tmp_path / "x.f32")
    text = end.join(f"class no. {i}, é" for i in range(N)) + (end if last else "")
    (tmp_path / "labels.txt").write_bytes(text.encode())
    rows = best(start(net, "--input", tmp_path / "x.f32", "--labels", tmp_path / "labels.txt"))
    assert len(rows) == 5
    assert all(label == f"class no. {index}, é" for index, _, label in rows)


def test_labels_must_fit(net, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\n")
    message = "expected a line for each of the 1000 classes, but the file has 2"
    assert refused(net, "--labels", labels) == f"error: {labels}: {message}"
    none = tmp_path / "none"
    assert refused(net, "--labels", none) == f"error: {none}: cannot open the file of labels: No such file or directory"


def test_without_an_input_it_says_so(net):
    done = start(net)
    assert done.returncode == 0
    assert len(best(done)) == 5
    assert done.stderr == "note: no --input, so the classes are those of a fixed pattern\n"


def test_other_outputs_are_no_classes(workshop, x):
    base = program("shift_one")
    image = replace(base, outputs=(replace(base.outputs[0], shape=(1, 10, 10, 10)), base.outputs[1]))
    build_library(image, workshop.kernels(), workshop.target(), workshop.folder / "image")
    done = start(workshop.folder / "image")
    assert done.stdout == "no output is one row of float32 scores; --output FILE writes the values\n"
    batch = replace(base, outputs=(replace(base.outputs[0], shape=(4, 250, 1, 1)), base.outputs[1]))
    build_library(batch, workshop.kernels(), workshop.target(), workshop.folder / "batch")
    lines = start(workshop.folder / "batch", "--top", 2).stdout.splitlines()
    assert [line for line in lines if "class" not in line] == [f"image {i}" for i in range(4)]
    assert len(lines) == 12


# ---- times


def rows_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_rows_and_statistics(net, tmp_path, files):
    done = start(net, "--profile", "--runs", 12, "--profiles", 4, "--threads", 2, *output_words(files()))
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
    assert last["spread"] == pytest.approx((last["p90_ms"] - last["p10_ms"]) / last["median_ms"], rel=1e-2, abs=1e-5)
    medians = np.median(steps, axis=0)  # every step has a layer of its own
    assert [row["name"] for row in last["per_layer"]] == first["step_layers"]
    assert [row["median_ms"] for row in last["per_layer"]] == pytest.approx(medians, abs=2e-6)
    assert [row["min_ms"] for row in last["per_layer"]] == pytest.approx(steps.min(axis=0), abs=2e-6)
    assert [row["share"] for row in last["per_layer"]] == pytest.approx(medians / medians.sum(), abs=1e-2)
    assert int(np.load(files()[1])) == 2  # outputs are those of the last run


def test_the_last_row_is_a_measurement(net):
    last = rows_of(start(net, "--profile", "--runs", 2).stdout)[-1]
    assert set(last) - {"row"} == set(Measurement.__dataclass_fields__)
    device = DeviceDescription(**last["device"])
    assert (device.arch, device.emulated) == (platform.machine(), False)
    assert device.cpus >= 1 and device.memory_mib > 0 and device.cpu
    assert Conditions(**last["conditions"]).mhz >= 0
    assert (last["target"], last["isa"], last["runs"], last["profiles"]) == ("native", "avx2", 2, 2)


def test_steps_of_one_layer_are_summed(workshop):
    base = program("shift_one", "shift_one")
    steps = tuple(replace(step, layer='the "only" one') for step in base.steps)
    build_library(replace(base, steps=steps), workshop.kernels(), workshop.target(), workshop.folder / "one layer")
    rows = rows_of(start(workshop.folder / "one layer", "--profile", "--runs", 3).stdout)
    sums = [sum(row["ms"]) for row in rows if row["row"] == "steps"]
    (layer,) = rows[-1]["per_layer"]
    assert (layer["name"], layer["share"]) == ('the "only" one', 1)
    assert layer["median_ms"] == pytest.approx(np.median(sums), abs=5e-6)


def test_it_repeats_for_the_seconds_asked_for(net):
    begun = time.monotonic()
    rows = rows_of(start(net, "--profile", "--seconds", "0.05").stdout)
    assert time.monotonic() - begun < 5
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


# ---- what it says of itself


def test_describe_tells_what_the_manifest_tells(net):
    document = json.loads(start(net, "--describe").stdout)
    manifest = read_manifest(net)
    assert document["runner"] == {
        "abi_version": 1, "version": __version__, "arch": platform.machine(), "compiler": manifest.build.compiler
    }  # fmt: skip
    library = document["library"]
    assert (library["model_id"], library["steps"]) == (manifest.library.model_id, len(manifest.steps))
    assert (library["target"], library["isa"]) == (manifest.target.name, manifest.target.vector)
    assert library["inputs"] == [{"name": "input", "dtype": "float32", "shape": [1, N]}]
    assert library["outputs"][1] == {"name": "tasks", "dtype": "int32", "shape": []}


def test_the_version_tells_what_it_was_built_with(net):
    line = start(net, "--version").stdout
    compiler = read_manifest(net).build.compiler
    assert line == f"b2nn-run {__version__} for {platform.machine()}, C interface version 1, built with {compiler}\n"


def test_help_names_every_option(net):
    source = (RUNNER_SOURCES / "main.c").read_text()
    options = set(re.findall(r'"(--[a-z]+)"', source))
    assert options == set(re.findall(r"--[a-z]+", start(net, "--help").stdout))
    assert len(options) == 13


def test_parts_of_arm_have_the_same_names_in_c_and_python():
    table = re.findall(r'\{(0x[0-9a-f]{3}), +"([^"]+)"\}', (RUNNER_SOURCES / "board.c").read_text())
    assert len(table) == 16
    assert [cpu_name(f"CPU part\t: {part}\n") for part, _ in table] == [name for _, name in table]


# ---- what it refuses


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fast"], "unexpected argument '--fast'; b2nn-run --help lists the options"),
        (["--input"], "--input needs a value"),
        (["--runs", "many", "--profile"], "--runs takes a number from 0 to 1000000, not 'many'"),
        (["--top", "0"], "--top takes a number from 1 to 1000000, not '0'"),
        (["--threads", "-1"], "--threads takes a number from 0 to 1000000, not '-1'"),
        (["--profile", "--seconds", "nan"], "--seconds takes a number of seconds above 0 and up to 86400, not 'nan'"),
        (["--runs", "3"], "--runs needs --profile"),
        (["--profile", "--labels", "x"], "--labels and --profile exclude each other"),
        (["a", "b"], "unexpected argument 'b': there is a library already, 'a'"),
        (["--output", "x"], "the network has 2 outputs, not 1"),
        (["--input", "x", "--input", "y"], "the network has 1 inputs, not 2"),
        (["--output", "x"] * 65, "--output is given more than 64 times"),
    ],
)
def test_wrong_usage_is_status_2(net, words, message):
    assert refused(net, *words, status=2) == f"error: {message}"


def test_too_many_threads_are_refused(net):
    assert "cannot make an instance of the network with 257 threads: a bad argument" in refused(net, "--threads", 257)


def test_the_library_may_be_named(net, tmp_path):
    for library in (net, net / LIBRARY):
        assert start(net, library).returncode == 0
    assert start(net, LIBRARY, cwd=net).returncode == 0
    shutil.copy(net / RUNNER, tmp_path)
    message = f"error: {tmp_path / LIBRARY}: expected the library of a compiled network, but cannot open it"
    assert refused(tmp_path) == message


def test_files_that_are_no_library_are_named(net, tmp_path):
    other = tmp_path / "other.so"
    for content in (b"", b"text" * 100, (net / LIBRARY).read_bytes()[:40]):
        other.write_bytes(content)
        assert (
            refused(net, other)
            == f"error: {other}: expected the library of a compiled network, but it is no library for Linux"
        )
    content = (net / LIBRARY).read_bytes()
    for count in (64, 5000, len(content) - 1):  # dlopen itself would be stopped by a signal
        other.write_bytes(content[:count])
        message = f"the library is cut short: {count} bytes of {len(content)}; copy it again"
        assert refused(net, other) == f"error: {other}: {message}"


NAMES = {62: "64-bit x86", 3: "32-bit x86", 183: "64-bit ARM", 40: "32-bit ARM", 243: "another kind of CPU"}


@pytest.mark.parametrize("machine", NAMES)
def test_a_library_of_another_machine_is_named(net, tmp_path, machine):
    content = bytearray((net / LIBRARY).read_bytes())
    if machine == int.from_bytes(content[18:20], "little"):
        pytest.skip("this is the machine's own")
    content[18:20] = machine.to_bytes(2, "little")
    (tmp_path / LIBRARY).write_bytes(content)
    assert f"the library is for {NAMES[machine]}, but this program and this system are for " in refused(net, tmp_path)


VERSIONS = {
    "int b2nn_abi_version(void) { return 2; }": "the library has version 2 of the C interface, this program 1; use both from one bundle",
    "int b2nn_abi_version(void) { return 1; }": "the library has no function b2nn_model_id: it is no compiled network, or one of an older version",
    "int other(void) { return 1; }": "the library has no function b2nn_abi_version: it is no compiled network",
}


@pytest.mark.parametrize("source", VERSIONS)
def test_a_library_of_another_version_is_named(workshop, net, tmp_path, source):
    (tmp_path / "x.c").write_text(source + "\n")
    workshop.compile(workshop.target(), "-shared", "-fPIC", str(tmp_path / "x.c"), "-o", str(tmp_path / "x.so"))
    assert refused(net, tmp_path / "x.so").startswith(f"error: {tmp_path / 'x.so'}: {VERSIONS[source]}")


def test_a_cpu_that_lacks_instructions_is_refused_before_anything_runs(workshop):
    folder = workshop.folder / "needs more"
    target = replace(workshop.target(), name="x86-future", requires=(*targets.get("x86").requires[:1], "avx1024"))
    build_library(program("shift_one"), workshop.kernels(), target, folder)
    message = (
        "the library is for target x86-future, and this CPU lacks avx1024; compile the network for a target that it has"
    )
    if "avx2" in targets.host_flags():
        assert refused(folder) == f"error: {folder / LIBRARY}: {message}"


def test_all_features_that_targets_ask_for_are_known_to_the_runtime():
    """On ARM by a table of bits; an unknown one would not be refused. On x86 by the kernel's own names."""
    known = set(re.findall(r'\{"(\w+)", \d+\}', (RUNTIME / "cpu.c").read_text()))
    arm = [target for target in map(targets.get, targets.names()[:-1]) if target.arch in ("aarch64", "armv7l")]
    assert len(arm) >= 1
    assert {feature for target in arm for feature in target.requires} <= known


@pytest.mark.timing
def test_it_starts_within_50_ms(net):
    def seconds() -> float:
        begun = time.perf_counter()
        assert start(net).returncode == 0
        return time.perf_counter() - begun

    assert min(seconds() for _ in range(10)) < 0.05
