"""The device that an address names: local, ssh://, rpc://, tracker:// or emulator:."""

from __future__ import annotations

from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.errors import DeviceError

TIMEOUT_S = 120.0
WORDS = (
    "local (this machine), ssh://user@host[:port][/folder] (a board that needs nothing but a login), rpc://host:port"
    " (a board that runs b2nn-device), tracker://host:port/key (one of several boards), emulator:CPU (runs AArch64 and"
    " ARMv7 libraries for tests, for example emulator:cortex-a72)"
)


def open_device(word: str, *, timeout_s: float = TIMEOUT_S) -> Device:
    """The device that ``word`` names; it may go ``timeout_s`` without a sign of life. Nothing is connected yet.

    Raises DeviceError where ``word`` names no device, with the choices or with the spelling of this kind of device.
    """
    kind, _, rest = word.partition(":")
    if word == "local":
        from b2nn_tvm.deploy.devices.local import LocalDevice

        return LocalDevice()
    if kind == "emulator" and rest:
        from b2nn_tvm.deploy.devices.emulator import EmulatorDevice

        return EmulatorDevice(rest)
    if rest.startswith("//"):
        if kind == "ssh":
            from b2nn_tvm.deploy.devices.ssh import SshDevice

            return SshDevice(word, timeout_s=timeout_s)
        if kind == "rpc":
            from b2nn_tvm.deploy.devices.rpc import RpcDevice

            return RpcDevice(word, timeout_s=timeout_s)
        if kind == "tracker":
            from b2nn_tvm.deploy.devices.tracker import TrackerDevice

            return TrackerDevice(word, timeout_s=timeout_s)
    raise DeviceError(f"unknown device {word!r}{_meant(word)}; the devices are {WORDS}")


def _meant(word: str) -> str:
    """The end of an error, in brackets, where the word is likely to be the address of a board."""
    scheme, _, rest = word.rpartition(":")
    kind = scheme if scheme in ("ssh", "rpc", "tracker") else "ssh"
    address = (rest if scheme == kind else word).strip("/")
    likely = scheme == kind or "@" in word or word.endswith(".local")
    return f" (did you mean {kind}://{address}?)" if likely and address else ""
