"""A user's machine on which the commands of pages are typed: their programs, a board, and the files that pages assume.

The programs are this checkout's. Behind what was typed they put the least effort that keeps the meaning of a command,
such as one epoch. The board is this machine behind a real ssh server.
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
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.boards.board_process import free_port
from tests.support.boards.lifetime import die_with_parent
from tests.support.boards.ssh_server import SshServer
from tests.support.deploy.short_measurements import IN_CHILDREN
from tests.support.paths import ROOT

LEAST = {
    "search": "--float-epochs 1 --epochs 1 --masks 0 --precision 20%",
    "study": "--images 32 --validation 16 --calibration 8 --seeds 1 --float-epochs 1 --epochs 1 --width 4 --jobs 1",
}
ALONE = "--methods random --budgets 40 --activations none"  # of a study that no hypothesis has declared
SCRIPT = """#!{python}
import sys
from b2nn_tvm.cli.{module} import main
least = {least!r} if len(sys.argv) > 2 else ""
if {module!r} == "study" and "--hypothesis" not in sys.argv:
    least += " {alone}"
sys.argv += least.split()
sys.exit(main())
"""
# One gray frame in place of those of a clip.
FRAME = "head -c 921600 /dev/zero"
MODELS = """
import torch
from nets import make_net
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.plan import Plan

torch.manual_seed(0)
network = make_net(3)
torch.save(network.state_dict(), "float.pt")
for name in ("float.onnx", "MODEL.onnx"):
    export_onnx(network.eval(), name, input_shape=(1, 3, 32, 32))
Plan({"2.0": "binary"}).save("plan.json")
"""
CIFAR = """
import numpy as np
draw = np.random.default_rng(0)
images = draw.integers(0, 256, (96, 32, 32, 3), np.uint8)
labels = np.arange(96) % 4
arrays = {"x_train": images[:64], "y_train": labels[:64], "x_test": images[64:], "y_test": labels[64:]}
np.savez("cifar10.npz", **arrays)
"""


@dataclass
class TypingDesk:
    """``run`` types a line in ``work``, where a page's ``changes`` are what a reader has in place of it."""

    folder: Path
    server: SshServer
    running: list[subprocess.Popen] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("bin", "home/.ssh", "work", "shared"):
            (self.folder / name).mkdir(parents=True)
        self.work = self.folder / "work"
        for name in ("search", "compile", "profile", "device", "study", "env"):
            text = SCRIPT.format(python=sys.executable, module=name, least=LEAST.get(name, ""), alone=ALONE)
            self._program(f"b2nn-{name}", text)
        self._program("b2nn", SCRIPT.format(python=sys.executable, module="main", least="", alone=""))
        for name in ("python", "python3"):
            self._program(name, f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        for name in ("ssh", "scp"):
            self._program(name, f'#!/bin/sh\nexec {shutil.which(name)} -F {self.server.folder}/client "$@"\n')
        if not shutil.which("ffmpeg"):
            self._program("ffmpeg", f"#!/bin/sh\nexec {FRAME}\n")
        self.port = free_port()
        self.environment = {
            **os.environ,
            **IN_CHILDREN,
            "PATH": f"{self.folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "ZIG_GLOBAL_CACHE_DIR": os.environ.get("ZIG_GLOBAL_CACHE_DIR") or str(Path.home() / ".cache" / "zig"),
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        self.environment["PYTHONPATH"] += f"{os.pathsep}{ROOT / 'runtime'}"

    def _program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def furnish(self) -> None:
        """The network, the photos and the files that other pages than the first hour take for granted."""
        page = (ROOT / "docs" / "first-hour.md").read_text(encoding="utf-8")
        network, photos = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        (self.work / "nets.py").write_text(network, encoding="utf-8")
        for code in (photos, MODELS, CIFAR):
            self.python(code)
        shutil.copy(self.work / "cifar10.npz", self.folder / "shared")

    def python(self, code: str) -> None:
        """Run Python in the folder of the work."""
        done = subprocess.run(
            [sys.executable, "-"],
            check=False,
            input=code,
            cwd=self.work,
            env=self.environment,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr

    def run(self, line: str, *, folder: Path | None = None) -> str:
        """What a line prints on stdout; it has to end with the status 0."""
        line = line.replace("/shared/", f"{self.folder}/shared/").replace("10.0.0.1:8786", f"127.0.0.1:{self.port}")
        if re.search(r"\bdask (scheduler|worker)\b", line):
            return self._serve(line)
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=folder or self.work,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        assert "Traceback" not in done.stderr, f"{line}\n{done.stderr[-4000:]}"
        return done.stdout

    def _serve(self, line: str) -> str:
        """Start what does not end by itself, and wait until it is there for others."""
        words = line.partition("#")[0].strip()
        if "dask scheduler" in words:
            words += f" --host 127.0.0.1 --port {self.port} --no-dashboard"
        words = words.replace("--nworkers 4", "--nworkers 1 --no-dashboard")
        process = subprocess.Popen(
            ["bash", "-c", words],
            cwd=self.work,
            env=self.environment,
            start_new_session=True,
            preexec_fn=die_with_parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.running.append(process)
        deadline = time.monotonic() + 120
        while not self._is_there(workers="worker" in words):
            assert process.poll() is None and time.monotonic() < deadline, words
            time.sleep(0.2)
        return ""

    def _is_there(self, *, workers: bool) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        if not workers:
            return True
        from distributed import Client

        with Client(f"tcp://127.0.0.1:{self.port}", set_as_default=False) as client:
            return bool(client.scheduler_info(n_workers=-1)["workers"])

    def close(self) -> None:
        """End all that was started."""
        for process in reversed(self.running):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
