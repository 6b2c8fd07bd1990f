"""The emulated ARM board for tests that run whole compiled networks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.deploy.devices.emulator import EmulatorDevice
from b2nn_tvm.deploy.devices.qemu import FOLDER_VARIABLE, find_emulator
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.errors import DeviceError

Run = Callable[..., dict[str, np.ndarray]]


@pytest.fixture
def run_emulated(monkeypatch, pytestconfig) -> Run:
    """A function: (folder of a compiled library, inputs by name, cpu=, threads=) -> outputs by name.

    Skips the test where there is no emulated board; the reason says how to get one.
    """
    if FOLDER_VARIABLE not in os.environ:
        monkeypatch.setenv(FOLDER_VARIABLE, str(pytestconfig.rootpath / "build" / "arm-emulator"))
    try:
        find_emulator("aarch64")
    except DeviceError as error:
        pytest.skip(str(error))

    def run(folder: Path, inputs: Mapping[str, np.ndarray], *, cpu: str = "cortex-a72", threads: int = 1):
        return EmulatorDevice(cpu).run(load(folder), inputs, threads=threads)

    return run
