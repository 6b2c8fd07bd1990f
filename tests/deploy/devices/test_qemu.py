"""Where QEMU is found, and how a program is started under it."""

from __future__ import annotations

import pytest

from b2nn_tvm.deploy.devices.qemu import FOLDER_VARIABLE, find_emulator
from b2nn_tvm.errors import DeviceError


def test_a_missing_emulator_is_an_error_with_remedies(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceError, match=r'"make arm-emulator", or with "apt install qemu-user libc6-arm64-cross"'):
        find_emulator("aarch64")
