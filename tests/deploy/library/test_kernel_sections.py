"""Kernels that do not fit are refused before anything is linked, and their code is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.elf import read_elf
from b2nn_tvm.deploy.library.kernel_sections import kernel_code_bytes
from tests.support.deploy.handmade import program


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


def test_what_two_levels_share_is_counted_once(workshop):
    level = Level(workshop.target(), program("shift_one"), [workshop.kernels()])
    elf = read_elf(workshop.kernels())
    counted = {elf.homes[step.symbol] for step in level.program.steps}
    assert kernel_code_bytes([level, level]) == [sum(home.size_bytes for home in counted), 0]
    assert kernel_code_bytes([level])[0] > 0
