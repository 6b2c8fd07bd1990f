"""Every command and every piece of Python in docs/raspberry-pi.md runs, in its order.

Boards are this machine behind a real ssh server and real b2nn-device processes; the emulator runs what is compiled for
ARM.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from b2nn_tvm.costs.table import CostTable
from b2nn_tvm.deploy.devices.qemu import find_emulator
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.errors import DeviceError
from tests.support.boards.board_process import free_port
from tests.support.boards.lifetime import die_with_parent
from tests.support.boards.ssh_server import SshServer
from tests.support.deploy.short_measurements import IN_CHILDREN
from tests.support.paths import ROOT

# What the commands do is tested elsewhere; that the page is right is a sweep over them.
pytestmark = [pytest.mark.emulated, pytest.mark.timeout(900), pytest.mark.sweep]

PAGE = ROOT / "docs" / "raspberry-pi.md"
SERVERS = ("b2nn-device", "ssh -N", "python -m tvm.exec.rpc_tracker")
GOVERNOR = "cpu0/cpufreq/scaling_governor"


def blocks() -> list[tuple[str, str]]:
    """(language, text) of the page's code blocks."""
    return re.findall(r"```(\w*)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@dataclass
class Desk:
    """A user's machine: a home, the commands on its path, a folder to work in, and one where all stays compiled for
    ARM.
    """

    folder: Path
    server: SshServer
    changes: dict[str, str]
    running: list[subprocess.Popen] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("bin", "home/.ssh", "work", "arm"):
            (self.folder / name).mkdir(parents=True)
        for name in ("ssh", "scp"):
            self._command(name, f'exec {shutil.which(name)} -F {self.server.folder}/client "$@"')
        for name in ("compile", "profile", "device"):
            self._command(f"b2nn-{name}", f'exec {sys.executable} -m b2nn_tvm.cli.{name} "$@"')
        self._command("python", f'exec {sys.executable} "$@"')
        for suffix in ("", ".pub"):
            shutil.copy(self.server.folder / f"key{suffix}", self.folder / "home" / ".ssh" / f"id_ed25519{suffix}")
        self.environment = {
            **os.environ,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            **IN_CHILDREN,
            "HOME": str(self.folder / "home"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "ZIG_GLOBAL_CACHE_DIR": os.environ.get("ZIG_GLOBAL_CACHE_DIR") or str(Path.home() / ".cache" / "zig"),
            "B2NN_ARM_EMULATOR": str(ROOT / "build" / "arm-emulator"),
        }

    def _command(self, name: str, text: str) -> None:
        (self.folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.folder / "bin" / name).chmod(0o755)

    def run(self, line: str, *, arm: bool = False) -> str:
        """What a command prints; as it stands on the page in the folder for ARM, else for this machine."""
        for old, new in self.changes.items() if not arm else ():
            line = line.replace(old, new)
        folder = self.folder / ("arm" if arm else "work")
        if line.startswith(SERVERS):
            return self._serve(line, folder)
        done = subprocess.run(
            ["sh", "-c", line], cwd=folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def python(self, code: str, *, arm: bool = False) -> str:
        name = f"block{len(list(self.folder.glob('*.py')))}.py"
        (self.folder / name).write_text(code)
        return self.run(f"python {self.folder / name}", arm=arm)

    def _serve(self, line: str, folder: Path) -> str:
        """Start what does not end by itself, and wait until something listens."""
        self.running.append(
            subprocess.Popen(
                ["sh", "-c", f"exec {line}"],
                cwd=folder,
                env=self.environment,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        )
        port = int(re.search(r"(?:--port|-L) (\d+)", line)[1])
        deadline = time.monotonic() + 180
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return ""
            except OSError:
                assert self.running[-1].poll() is None and time.monotonic() < deadline, line
                time.sleep(0.1)

    def close(self) -> None:
        for process in self.running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def desk(tmp_path, ssh_server_programs) -> Iterator[Desk]:
    for package in ("torch", "onnxscript", "tornado"):
        pytest.importorskip(package, reason=f"the page needs it; pip install {package}")
    server = SshServer(ssh_server_programs)
    (server.home / GOVERNOR).parent.mkdir(parents=True)
    (server.home / GOVERNOR).write_text("ondemand\n")
    (server.home / "bin").mkdir()
    (server.home / "bin" / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (server.home / "bin" / "sudo").chmod(0o755)
    for path in (server.home, *server.home.rglob("*")):
        os.chown(path, server.uid, server.uid)
    ports = {f"{port}": str(free_port()) for port in (9090, 9091, 9092, 9190)}
    ports = {"--port 9190": f"--port 9190 --port-end {int(ports['9190']) + 1}", **ports}
    here = {
        "--target rpi4": "--target native",
        "--tune 8": "--tune 1",
        "/sys/devices/system/cpu/cpu*": f"{server.home}/cpu*",
    }
    desk = Desk(tmp_path, server, {**here, **ports})
    yield desk
    desk.close()
    server.stop()


def test_the_page_from_top_to_bottom(desk, monkeypatch):
    monkeypatch.setenv("B2NN_ARM_EMULATOR", desk.environment["B2NN_ARM_EMULATOR"])
    try:
        find_emulator("aarch64")
    except DeviceError as error:
        pytest.skip(str(error))
    printed: dict[str, str] = {}
    for language, text in blocks():
        assert language in ("sh", "python"), f"what is {text!r}?"
        if language == "python":
            emulated = "emulator:" in text
            printed[text] = desk.python(text, arm=emulated)
            continue
        for line in text.splitlines():
            printed[line] = desk.run(line)
            if line.startswith("b2nn-compile") and "--device" not in line:
                shutil.copy(desk.folder / "work" / "net.onnx", desk.folder / "arm")
                desk.run(line, arm=True)

    find = lambda *words: [output for line, output in printed.items() if all(word in line for word in words)]
    assert (desk.server.home / GOVERNOR).read_text() == "performance\n"
    assert load(desk.folder / "arm" / "net-rpi4").target.name == "rpi4"
    table, *_ = find("b2nn-profile", "--threads 4")
    assert "whole network: undisturbed" in table and "device: ssh://pi@raspberrypi.local (" in table
    first, again = find("b2nn-profile", "costs.json")
    assert [line for line in again.splitlines() if "%" in line] == [line for line in first.splitlines() if "%" in line]
    assert len(CostTable.load(desk.folder / "work" / "costs.json").layers) > 20
    rows, *_ = find("b2nn-run --profile")
    assert rows.count('"row": "run"') == rows.count('"row": "steps"') == 20
    for kind in ("rpc://", "tracker://"):
        (output,) = find("b2nn-profile", kind)
        assert f"device: {kind}127.0.0.1:" in output
    records = list((desk.folder / "cache" / "b2nn-tvm").glob("*.json"))
    assert len(records) == 1
    (emulated,) = find("emulator:")
    assert len(re.findall(r"-?\d+\.\d+", emulated)) == 10
    assert desk.server.left_behind() == [] and not (desk.server.home / "net-rpi4").exists()
