from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest

from b2nn_tvm.deploy.codegen.program import Constants
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.build_library import (
    ABI_VERSION,
    HEADER,
    LIBRARY,
    RUNNER,
    RUNTIME,
    BuildMetadata,
    build_library,
)
from b2nn_tvm.deploy.library.elf import read_elf
from b2nn_tvm.deploy.library.sizes import PARTS
from b2nn_tvm.errors import InputError, ToolchainError
from tests.support.deploy.handmade import N, program


def test_the_folder_holds_library_header_runner_and_manifest(net):
    assert {path.name for path in net.iterdir()} == {LIBRARY, HEADER, RUNNER, "manifest.json"}
    assert (net / HEADER).read_bytes() == (RUNTIME / HEADER).read_bytes()


def test_the_library_exports_its_interface_only(net):
    header = (RUNTIME / HEADER).read_text()
    declared = set(re.findall(r"^B2NN_API .*?(b2nn_\w+)\(", header, re.MULTILINE))
    assert len(declared) == 20
    assert read_elf((net / LIBRARY).read_bytes()).defined == declared


def test_python_and_header_agree_on_the_version():
    assert f"#define B2NN_ABI_VERSION {ABI_VERSION}\n" in (RUNTIME / HEADER).read_text()


def test_the_manifest_tells_where_the_bytes_go(net):
    with load(net) as artifact:
        manifest = artifact.manifest
        sizes = manifest.sizes
        assert sizes.library == (net / LIBRARY).stat().st_size == artifact.size_bytes
        assert (sizes.packed_weights, sizes.binary_constants) == (2500, 500)
        assert (sizes.float_weights, sizes.other_constants) == (0, 4 * N - 3000)
        parts = {name: size for name, size in asdict(sizes).items() if name != "library"}
        assert sum(parts.values()) == sizes.library
        assert set(parts) == set(PARTS)
        assert manifest.memory.arena == 2 * 4032
        assert manifest.memory.staging == 2 * 4 * N + 4
        assert manifest.library.sha256 == hashlib.sha256((net / LIBRARY).read_bytes()).hexdigest()
        assert manifest.build.compiler
        assert manifest.build.tvm_version.startswith("0.27")


def test_metadata_reach_the_manifest(workshop):
    folder = workshop.build("shift_one", name="meta", metadata=BuildMetadata("net.onnx", plan_digest="abc", note="x"))
    assert json.loads((folder / "manifest.json").read_text())["build"]["model"] == "net.onnx"
    build = load(folder).manifest.build
    assert (build.plan_digest, build.note) == ("abc", "x")


def test_the_same_program_makes_the_same_library(workshop, net):
    again = workshop.build("shift_one", "shift_seven_tasks", name="again")
    assert (again / LIBRARY).read_bytes() == (net / LIBRARY).read_bytes()


def test_a_network_without_constants_builds(workshop, x):
    base = program("shift_one")
    bare = replace(
        base,
        inputs=base.inputs,
        steps=(
            replace(base.steps[1], arguments=(base.steps[0].arguments[0], base.steps[1].arguments[1])),
            base.steps[2],
        ),
    )
    build_library(
        replace(bare, constants=Constants(), layers=()),
        [workshop.kernels()],
        workshop.target(),
        workshop.folder / "bare",
    )
    with load(workshop.folder / "bare") as artifact:
        np.testing.assert_array_equal(artifact.run({"input": x})["output"], x + np.float32(1))


def test_a_failed_build_leaves_the_old_library(workshop, x, monkeypatch, tmp_path):
    folder = workshop.build("shift_one", name="kept")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    kernels = workshop.kernels(factor=5.0)
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\n[ $1 = --version ] && exit 0\necho 'x.c:1: error: disk full' >&2; exit 3\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    with pytest.raises(ToolchainError, match=r"failed with status 3: x\.c:1: error: disk full"):
        build_library(program("shift_one"), [kernels], workshop.target(), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_half_replaced_library_is_noticed(workshop):
    folder = workshop.build("shift_one", name="half")
    other = workshop.build("shift_one", "shift_one", name="whole")
    shutil.copy(other / LIBRARY, folder / LIBRARY)
    with pytest.raises(InputError, match=r"sha256 differs.*compile it again"):
        load(folder)


def test_kernels_for_another_cpu_are_refused(workshop):
    with pytest.raises(ValueError, match="kernels are for"):
        build_library(
            program("shift_one"),
            [workshop.kernels()],
            replace(workshop.target(), arch="armv7l"),
            workshop.folder / "no",
        )
    assert not (workshop.folder / "no").exists()


def test_missing_kernels_are_named(workshop):
    with pytest.raises(ValueError, match="do not define bsign, conv9"):
        build_library(program("conv9", "bsign"), [workshop.kernels()], workshop.target(), workshop.folder / "no")


def test_a_folder_that_is_a_file_is_refused(workshop, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="expected a folder that can be written"):
        build_library(program("shift_one"), [workshop.kernels()], workshop.target(), tmp_path / "out")
