"""A word names a device, or the error lists the choices."""

from __future__ import annotations

import pytest

from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.errors import DeviceError


@pytest.mark.parametrize("word", ["", "gpu", "local:2", "emulator", "emulator:"])
def test_unknown_devices_are_refused_with_the_choices(word):
    with pytest.raises(
        DeviceError, match=r"unknown device .*the devices are local \(this machine\), ssh://.*emulator:CPU"
    ):
        open_device(word)
