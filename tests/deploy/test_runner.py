"""b2nn-run prints the best classes, says what it is, and refuses what does not fit this machine."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from b2nn_tvm.deploy.library.build_library import LIBRARY, RUNNER, RUNNER_SOURCES, RUNTIME, build_library
from b2nn_tvm.deploy.library.manifest import read_manifest
from b2nn_tvm.targets import target as targets
from b2nn_tvm.version import __version__
from tests.deploy.handmade import N, expected, program
from tests.deploy.runner_process import refused, start
from tests.support.processor_time import seconds_of


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


# ---- what it says of itself


def test_describe_tells_what_the_manifest_tells(net):
    document = json.loads(start(net, "--describe").stdout)
    manifest = read_manifest(net)
    assert document["runner"] == {
        "abi_version": 1,
        "version": __version__,
        "arch": platform.machine(),
        "compiler": manifest.build.compiler,
    }
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
    "int b2nn_abi_version(void) { return 2; }": (
        "the library has version 2 of the C interface, this program 1; use both from one bundle"
    ),
    "int b2nn_abi_version(void) { return 1; }": (
        "the library has no function b2nn_model_id: it is no compiled network, or one of an older version"
    ),
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


def test_it_starts_within_50_ms(net):
    """These are milliseconds of the processor, so that it may be busy with something else as well."""
    assert min(seconds_of([net / RUNNER]) for _ in range(10)) < 0.05
