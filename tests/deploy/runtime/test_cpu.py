"""A CPU that lacks instructions is refused by the library itself, by the names that Linux prints."""

from __future__ import annotations

import re
from dataclasses import replace

from b2nn_tvm.deploy.library.build_library import LIBRARY, RUNTIME, build_library
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


def test_all_features_that_targets_ask_for_are_known_to_the_runtime():
    """On ARM by a table of bits; an unknown one would not be refused. On x86 by the kernel's own names."""
    known = set(re.findall(r'\{"(\w+)", \d+\}', (RUNTIME / "cpu.c").read_text()))
    arm = [target for target in map(targets.get, targets.names()[:-1]) if target.arch in ("aarch64", "armv7l")]
    assert len(arm) >= 1
    assert {feature for target in arm for feature in target.requires} <= known
