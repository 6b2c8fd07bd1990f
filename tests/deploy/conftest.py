"""Libraries of hand-written kernels, built once for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.deploy.artifact import Artifact, load
from b2nn_tvm.deploy.build import LIBRARY, build_library
from b2nn_tvm.deploy.bundle import write_bundle
from b2nn_tvm.deploy.qemu import FOLDER_VARIABLE, find_emulator
from b2nn_tvm.deploy.toolchain import find_toolchain
from b2nn_tvm.errors import DeviceError, ToolchainError
from tests.deploy.handmade import N, Workshop, program


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("workshop"))
    try:
        find_toolchain(workshop.target())
    except ToolchainError as error:
        pytest.skip(str(error))
    return workshop


@pytest.fixture(scope="session")
def net(workshop) -> Path:
    """A library of four steps, two of them parallel with scratch memory."""
    return workshop.build("shift_one", "shift_seven_tasks", name="shared")


@pytest.fixture(scope="session")
def bundle_for(workshop) -> Callable[[str], Path]:
    """The bundle of a network of one input and one output by target; where that is another machine, with the C example compiled."""

    @cache
    def build(target: str) -> Path:
        folder = workshop.folder / f"bundle-{target}"
        base = program("shift_one", "shift_seven_tasks")
        single = replace(base, outputs=base.outputs[:1], steps=base.steps[:-1])
        build_library(single, workshop.kernels(target=target), workshop.target(target), folder)
        write_bundle(folder)
        if target != "native":
            words = ["-O1", "classify.c", "-o", "classify", "-L.", f"-l:{LIBRARY}", "-Wl,-rpath,$ORIGIN"]
            find_toolchain(workshop.target(target)).run(words, folder=folder)
        return folder

    return build


@pytest.fixture
def artifact(net) -> Artifact:
    with load(net) as artifact:
        yield artifact


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((1, N)).astype("float32")


@pytest.fixture
def arm_board(monkeypatch, pytestconfig) -> None:
    """Skips the test where there is no emulated ARM board."""
    if FOLDER_VARIABLE not in os.environ:
        monkeypatch.setenv(FOLDER_VARIABLE, str(pytestconfig.rootpath / "build" / "arm-emulator"))
    try:
        find_emulator("aarch64")
    except DeviceError as error:
        pytest.skip(str(error))
