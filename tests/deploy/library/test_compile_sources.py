"""A library and its runner are compiled from their sources, which every network has in common for the most part."""

from __future__ import annotations

import re
from pathlib import Path

from b2nn_tvm.deploy.library.compile_sources import runner_program, runtime_objects
from b2nn_tvm.deploy.library.elf import read_elf
from b2nn_tvm.deploy.library.library_files import HEADER, LIBRARY, RUNNER
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.deploy.library.write_sources import RUNTIME, RUNTIME_CODE


def test_the_library_exports_its_interface_only(net):
    header = (RUNTIME / HEADER).read_text()
    declared = set(re.findall(r"^B2NN_API .*?(b2nn_\w+)\(", header, re.MULTILINE))
    assert len(declared) == 20
    assert read_elf((net / LIBRARY).read_bytes()).defined == declared


def test_the_runtime_and_the_runner_are_compiled_once(workshop, net):
    toolchain = find_toolchain(workshop.target())
    objects = runtime_objects(toolchain)
    assert set(objects) == {str(Path(name).with_suffix(".o")) for name in RUNTIME_CODE}
    assert runtime_objects(toolchain) is objects
    assert runner_program(toolchain) == (net / RUNNER).read_bytes()
