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


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("local", "LocalDevice"),
        ("emulator:cortex-a53", "EmulatorDevice"),
        ("ssh://pi@board:22", "SshDevice"),
        ("rpc://board:9090", "RpcDevice"),
        ("tracker://board:9190/rpi4", "TrackerDevice"),
    ],
)
def test_each_word_opens_its_kind_of_device_and_connects_to_nothing(word, kind):
    with open_device(word) as device:
        assert (type(device).__name__, device.address) == (kind, word)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("pi@raspberrypi", "ssh://pi@raspberrypi"),
        ("pi@board:2222", "ssh://pi@board:2222"),
        ("raspberrypi.local", "ssh://raspberrypi.local"),
        ("ssh:pi@board", "ssh://pi@board"),
        ("rpc:/board", "rpc://board"),
    ],
)
def test_an_address_without_its_beginning_is_understood_in_the_error(word, meant):
    with pytest.raises(DeviceError, match=rf"\(did you mean {meant}\?\); the devices are"):
        open_device(word)
