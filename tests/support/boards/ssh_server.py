"""A real OpenSSH server on loopback, as an ordinary user with a home and keys of its own, and a client's
configuration for it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from tests.support.boards.lifetime import die_with_parent

USER, BOARD_UID = "pi", 54321  # who the server runs as where the tests run as root
CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {home}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv TMPDIR={home}/tmp PATH={home}/bin:/usr/local/bin:/usr/bin:/bin
Subsystem sftp internal-sftp
"""
CLIENT = """
Host raspberrypi.local
    HostName 127.0.0.1
    Port {port}
    User {user}
Host *
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
"""


class SshServer:
    """Serves until ``stop``. ``address`` names it as a device where B2NN_SSH is ``client``; ``home`` is the user's
    folder.
    """

    def __init__(self, installed: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="b2nn-sshd-", dir="/tmp"))
        self.home = self.folder / "home"
        (self.home / "tmp").mkdir(parents=True)
        self.folder.chmod(0o755)
        self.uid = BOARD_UID if os.getuid() == 0 else os.getuid()
        self._programs = installed / "root"
        self._install(self._programs)
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True)
        shutil.copy(self.folder / "key.pub", self.home / "authorized_keys")
        (self.folder / "group").write_text(f"{USER}:x:{self.uid}:\n")
        self.use_shell("/bin/sh")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen | None = None
        self.write_config()
        self.client = f"ssh -F {self.folder}/client"
        self.address = f"ssh://{USER}@127.0.0.1:{self.port}"
        names = f"[127.0.0.1]:{self.port}"
        (self.folder / "known_hosts").write_text(f"{names} {(self.folder / 'host_key.pub').read_text()}")
        (self.folder / "client").write_text(CLIENT.format(folder=self.folder, port=self.port, user=USER))
        self.start()

    def write_config(self, *lines: str) -> None:
        """Write the server's configuration, with more lines; it counts from the next start."""
        sessions = [(name, self.folder / program) for name, program in SESSION_PROGRAMS.items()]
        more = [*lines, *(f"{name} {path}" for name, path in sessions if path.exists())]
        text = CONFIG.format(folder=self.folder, home=self.home, port=self.port) + "\n".join(more) + "\n"
        (self.folder / "config").write_text(text)

    def use_shell(self, path: str) -> None:
        """Make a program the user's login shell, from the next login on."""
        (self.folder / "passwd").write_text(f"{USER}:x:{self.uid}:{self.uid}::{self.home}:{path}\n")

    def install_shell(self, name: str) -> Path:
        """Copy a shell that setup_ssh_server.py got to where the user may run it; FileNotFoundError without it."""
        found = next(
            (
                self._programs / place / name
                for place in ("bin", "usr/bin")
                if (self._programs / place / name).is_file()
            ),
            None,
        )
        if found is None:
            raise FileNotFoundError(f"no {name} below {self._programs}")
        shutil.copy(found, self.folder / name)
        return self.folder / name

    def start(self, *before: str) -> None:
        """Serve; ``before`` are the words of a command that starts the server."""
        inside = (Path(place, name) for place, *names in os.walk(self.home) for name in (*names[0], *names[1]))
        for path in (self.folder / "host_key", self.home, *inside):  # os.walk passes over a folder that has gone
            with contextlib.suppress(FileNotFoundError):  # that of a killed login may be on its way out
                os.chown(path, self.uid, self.uid)
        environment = {
            "LD_LIBRARY_PATH": str(self.folder),
            "LD_PRELOAD": str(self.folder / "libnss_wrapper.so"),
            "NSS_WRAPPER_PASSWD": str(self.folder / "passwd"),
            "NSS_WRAPPER_GROUP": str(self.folder / "group"),
        }
        assignments = [f"{name}={value}" for name, value in environment.items()]
        command = [*before, "env", *assignments, self.folder / "sshd", "-D", "-e", "-f", self.folder / "config"]
        privileges = (
            {"user": self.uid, "group": self.uid, "extra_groups": []} if os.getuid() == 0 and not before else {}
        )
        with (self.folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                command, stderr=log, start_new_session=True, cwd="/", preexec_fn=die_with_parent, **privileges
            )
        deadline = time.monotonic() + 180
        while "Server listening" not in self.log:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd did not start: {self.log}")
            time.sleep(0.02)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def left_behind(self, *, wait_s: float = 180) -> list[str]:
        """What is in the folder for temporary files, once it is empty or after a while."""
        deadline = time.monotonic() + wait_s
        while (found := sorted(path.name for path in (self.home / "tmp").iterdir())) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def sessions(self) -> list[psutil.Process]:
        """All that the server has started."""
        return psutil.Process(self._process.pid).children(recursive=True) if self._process else []

    def signal_sessions(self, number: int) -> None:
        """Send a signal to each of the server's own processes that serves a login, and to the server."""
        for process in [psutil.Process(self._process.pid), *self.sessions()]:
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended by itself
                if process.name().startswith("sshd"):
                    process.send_signal(number)

    def disappear(self) -> None:
        """End the server and its logins at once, as a board does that is switched off: nothing there says goodbye."""
        self.signal_sessions(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End all that runs, and remove the folder."""
        if self._process:
            running = self.sessions()
            self.disappear()
            psutil.wait_procs(running, timeout=5)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _install(self, root: Path) -> None:
        """Copy the programs: the user they run as may not read where they are."""
        for path in (*root.rglob("*.so*"), root / "usr/sbin/sshd", *(root / "usr/lib/openssh").glob("sshd-*")):
            shutil.copy(path, self.folder / path.name)


# Newer versions have programs of their own for a login, whose places are compiled in.
SESSION_PROGRAMS = {"SshdSessionPath": "sshd-session", "SshdAuthPath": "sshd-auth"}
