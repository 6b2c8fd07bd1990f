"""A CPU that lacks instructions is refused by the library itself, by the names that Linux prints."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.library_files import LIBRARY
from b2nn_tvm.deploy.library.write_sources import RUNTIME
from b2nn_tvm.targets import target as targets
from tests.support.deploy.handmade import program
from tests.support.deploy.runner_process import refused


def test_a_cpu_that_lacks_instructions_is_refused_before_anything_runs(workshop):
    folder = workshop.folder / "needs more"
    target = replace(workshop.target(), name="x86-future", requires=(*targets.get("x86").requires[:1], "avx1024"))
    build_library(program("shift_one"), [workshop.kernels()], target, folder)
    message = (
        "the library is for target x86-future, and this CPU lacks avx1024; compile the network for a target that it has"
    )
    if "avx2" in targets.host_flags():
        assert refused(folder) == f"error: {folder / LIBRARY}: {message}"


def asked_for(*arches: str) -> set[str]:
    """The features that targets for these architectures require."""
    every = map(targets.get, targets.names()[:-1])
    return {feature for target in every if target.arch in arches for feature in target.requires}


def test_all_features_that_targets_ask_for_are_known_to_the_runtime():
    """An unknown one counts as missing."""
    known = set(re.findall(r'\{"(\w+)", \d+', (RUNTIME / "cpu.c").read_text()))
    asked = asked_for("x86_64", "aarch64", "armv7l")
    assert len(asked) > 10 and asked <= known


def test_the_runtime_finds_what_linux_prints(workshop):
    """The features come from the CPU itself on x86 and from the loader on ARM; /proc/cpuinfo is a second witness."""
    asked, flags = asked_for(targets.host_arch()), targets.host_flags()
    if not asked & flags:
        pytest.skip("there is no target for this machine, or it does not list the features of its CPU")
    shutil.copytree(RUNTIME, workshop.folder / "cpu")
    (workshop.folder / "cpu" / "main.c").write_text(MAIN)
    workshop.compile(workshop.target(), "-D_GNU_SOURCE", "cpu/main.c", "cpu/cpu.c", "-o", "features")
    command = [workshop.folder / "features", *sorted(asked), "avx1024"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) == asked & flags


MAIN = """
#include <stdio.h>

#include "program.h"

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (b2nn_cpu_has(argv[i])) puts(argv[i]);
    return 0;
}
"""
