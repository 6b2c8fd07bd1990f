from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from b2nn_tvm.deploy.codegen.program import Constants
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.library_files import HEADER, LIBRARY, RUNNER
from b2nn_tvm.deploy.library.write_sources import RUNTIME
from b2nn_tvm.errors import InputError, ToolchainError
from tests.support.deploy.handmade import program


def test_the_folder_holds_library_header_runner_and_manifest(net):
    assert {path.name for path in net.iterdir()} == {LIBRARY, HEADER, RUNNER, "manifest.json"}
    assert (net / HEADER).read_bytes() == (RUNTIME / HEADER).read_bytes()


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


def test_a_folder_that_is_a_file_is_refused(workshop, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="expected a folder that can be written"):
        build_library(program("shift_one"), [workshop.kernels()], workshop.target(), tmp_path / "out")
