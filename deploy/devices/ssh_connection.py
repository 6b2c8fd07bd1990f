"""A connection to a board through the system's ssh: one login, a private folder on the board, and commands in it.

The first session makes the folder and waits on its standard input. When this input ends, with ``close``, with this
process or with the network, the session kills the programs that still run in the folder and removes it. Further
commands share the connection (ssh_config, ControlMaster), so that each takes milliseconds.
"""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from b2nn_tvm.deploy.devices.runner import reason
from b2nn_tvm.errors import DeviceError, DeviceLost

COMMAND_VARIABLE = "B2NN_SSH"
CONNECT_S = 10
OPTIONS = {
    "BatchMode": "yes",  # never ask for a password: nobody may be there to answer
    "ConnectTimeout": str(CONNECT_S),
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ClearAllForwardings": "yes",
    "RemoteCommand": "none",
}
_FAREWELL_S = 2  # seconds to end the login; a slower board sees the connection close, and cleans up when it can
_READY = "b2nn-folder "
_KEEPER = """
umask 077
folder=$(mktemp -d "${TMPDIR:-/tmp}/b2nn-XXXXXX") || exit 1
end() {
    for pid in "$folder"/*/pid; do [ -f "$pid" ] && kill -9 "$(cat "$pid")"; done 2>/dev/null
    rm -rf "$folder"
    exit 0
}
trap end HUP INT TERM PIPE
echo "b2nn-folder $folder"
cat >/dev/null
end
"""
_REMEDIES = {
    "Host key verification failed": (
        'log in once with "{login}" to see and accept its key, or mend known_hosts if it changed'
    ),
    "Permission denied": 'a key is needed, as nobody is asked for passwords: "ssh-copy-id{options} {destination}"',
    "Could not resolve": "check the name, or use the board's address",
    "Connection refused": "switch the board's ssh server on (raspi-config, Interface Options), or check the port",
}


@dataclass(frozen=True)
class Destination:
    """The user, the host and the port of a login; ``user`` and ``port`` are empty where ssh's settings have them."""

    host: str
    user: str = ""
    port: str = ""

    @classmethod
    def parse(cls, word: str) -> Destination:
        """The destination of ``ssh://[user@]host[:port]``; the host may be an alias of ~/.ssh/config.

        Raises DeviceError where ``word`` is of another form.
        """
        found = re.fullmatch(r"ssh://(?:([^@/\s]+)@)?(\[[0-9A-Fa-f:.%]+\]|[^@:/\s\[\]]+)(?::(\d{1,5}))?/?", word)
        if not found or any((part or "").startswith("-") for part in found.groups()):
            raise DeviceError(f"expected ssh://user@host or ssh://user@host:port, but got {word!r}")
        return cls(found[2].strip("[]"), found[1] or "", found[3] or "")

    @property
    def words(self) -> list[str]:
        """The words of an ssh command line that name the destination."""
        return [*(["-p", self.port] if self.port else []), "--", f"{self.user}@{self.host}" if self.user else self.host]


class SshLink:
    """A login on a board and a ``folder`` there that this process alone uses; ``close`` removes the folder.

    Without ``close`` the folder stays until this process ends. Any failure of the connection closes the link. Raises
    DeviceError where there is no connection, or no sign of life for ``timeout_s``.
    """

    def __init__(self, word: str, *, timeout_s: float) -> None:
        self.address = word
        self.timeout_s = timeout_s
        self._destination = Destination.parse(word)
        self._sockets = Path(tempfile.mkdtemp(prefix="b2nn-", dir="/tmp"))  # a socket's path has at most 107 bytes
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the connection
        self.folder = ""
        self._keeper: _Session | None = None
        try:
            self._keeper = self._start(_KEEPER, self._errors, master=True)
            wait = min(timeout_s, 3 * CONNECT_S)
            lines = (line for line in self._read(self._keeper, wait) if line.startswith(_READY))
            self.folder = next(lines, "").removeprefix(_READY)
            if not self.folder:
                self._fail(self._keeper.wait() or 255, self._errors)
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether the login still stands, as far as this machine can tell."""
        return self._keeper is not None and self._keeper.poll() is None

    def call(self, script: str, *, send: bytes = b"") -> bytes:
        """Run a shell script in the folder, with ``send`` as its input, and return its output.

        Raises DeviceError, with the script's complaint, where it fails.
        """
        allowed = self.timeout_s + len(send) / 50_000  # slow Wi-Fi gives 50 kB/s
        with tempfile.TemporaryFile() as errors:
            process = self._start(self._inside(script), errors)
            try:
                output: bytes = process.communicate(send, timeout=allowed)[0]
            except subprocess.TimeoutExpired:
                self._give_up(process, allowed)
            finally:
                _end(process)
            if process.returncode:
                self._fail(process.returncode, errors)
            return output

    def lines(self, script: str) -> Iterator[str]:
        """The lines that a shell script prints, as they come; then raises DeviceError where ``call`` would."""
        with tempfile.TemporaryFile() as errors:
            process = self._start(self._inside(script), errors)
            finished = False
            try:
                process.stdin.close()
                yield from self._read(process, self.timeout_s)
                finished = True
            finally:
                if not finished:
                    process.kill()
                    self.close()  # this ends the script on the board
                status = _end(process, kill=False)
            if status:
                self._fail(status, errors)

    def close(self) -> None:
        """Log out; the board kills the programs that still run in the folder and removes it."""
        if self._keeper:
            self._keeper.stdin.close()
            try:
                self._keeper.wait(_FAREWELL_S)
            except subprocess.TimeoutExpired:
                self._keeper.kill()
                self._keeper.wait()
            self._keeper.stdout.close()
            self._keeper = None
        self._errors.close()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _start(self, script: str, errors: IO[bytes], *, master: bool = False) -> _Session:
        command = shlex.split(os.environ.get(COMMAND_VARIABLE, "ssh"))
        options = {
            **OPTIONS,
            "ControlMaster": "yes" if master else "no",
            "ControlPath": self._sockets / "s",
            "ControlPersist": "no",
        }
        words = [
            *command,
            "-T",
            "-a",
            "-x",
            *(f"-o{key}={value}" for key, value in options.items()),
            *self._destination.words,
        ]
        try:
            return _Session([*words, f"exec sh -c {shlex.quote(script)}"], errors)
        except (FileNotFoundError, PermissionError) as error:
            raise DeviceError(
                f'{self.address}: cannot start {command[0]!r}: {error.strerror}; install ssh ("apt install'
                f' openssh-client"), or set {COMMAND_VARIABLE}'
            ) from None

    def _inside(self, script: str) -> str:
        return f"cd {shlex.quote(self.folder)} && {{ {script}\n}}"

    def _read(self, process: _Session, timeout_s: float) -> Iterator[str]:
        """The lines of a session as they come; raises DeviceError where none comes for ``timeout_s``."""
        poll, rest, descriptor = select.poll(), b"", process.stdout.fileno()
        poll.register(descriptor, select.POLLIN)
        while True:
            if not poll.poll(timeout_s * 1000):
                self._give_up(process, timeout_s)
            chunk = os.read(descriptor, 1 << 16)
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
            if not chunk:
                return

    def _give_up(self, process: _Session, seconds: float) -> NoReturn:
        process.kill()
        process.wait()
        self.close()
        raise DeviceLost(
            f"{self.address}: no answer for {seconds:.0f} s, so what ran there was stopped; is the board switched on"
            " and in reach? For a network that takes longer, allow more time"
        )

    def _fail(self, status: int, errors: IO[bytes]) -> NoReturn:
        """Raise the error that the end of a session means.

        The status 255 is that of ssh itself; a signal gives 128 plus its number.
        """
        if status == 255:
            kind = DeviceLost if self.folder else DeviceError  # a first login that fails will fail again
            what = (_text(errors).strip() or "the connection was lost").splitlines()[-1].strip()
            self.close()
            raise kind(f"{self.address}: {what.rstrip('.')}; {self._remedy(what)}")
        status = 128 - status if 128 < status < 160 else status
        raise DeviceError(f"{self.address}: {reason(status, _text(errors))}")

    def _remedy(self, what: str) -> str:
        *options, _, destination = self._destination.words
        login = " ".join(["ssh", *options, destination])
        remedy = next((text for sign, text in _REMEDIES.items() if sign in what), 'check that "{login}" works')
        return remedy.format(login=login, options="".join(f" {word}" for word in options), destination=destination)


class _Session(subprocess.Popen[bytes]):
    """A process of ssh whose input and output are pipes."""

    stdin: IO[bytes]
    stdout: IO[bytes]

    def __init__(self, words: list[str], errors: IO[bytes]) -> None:
        super().__init__(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)


def _end(process: _Session, *, kill: bool = True) -> int:
    """Close the pipes of a process that has ended, or that is killed now, and return its status."""
    if kill:
        process.kill()
    process.stdout.close()
    process.stdin.close()
    return process.wait()


def _text(errors: IO[bytes]) -> str:
    if errors.closed:
        return ""
    errors.seek(0)
    return errors.read().decode(errors="replace")
