"""A connection to a board through the system's ssh: one login, a private folder on the board, and commands in it.

The first session makes the folder and waits on its standard input. When this input ends, with ``close``, with this
process or with the network, the session kills the programs that still run in the folder and removes it. Further
commands share the connection (ssh_config, ControlMaster), so that each takes milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

from b2nn_tvm.deploy.devices.login.destination import Destination
from b2nn_tvm.deploy.devices.login.framed_script import FramedScript
from b2nn_tvm.deploy.devices.login.private_folder import keeper
from b2nn_tvm.deploy.devices.login.remedies import complaint_in, last_line, remedy
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
_LOGIN_S = 60  # some boards look up names, or read much, before they let anybody in


class CommandFailed(DeviceError):
    """A script on the board ended with ``status``, negative for a signal; ``complaint`` says why."""

    def __init__(self, word: str, status: int, complaint: str) -> None:
        super().__init__(f"{word}: {complaint}")
        self.status, self.complaint = status, complaint


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
        script = FramedScript(keeper(self._destination))
        try:
            self._keeper = self._start(script, self._errors, master=True)
            self._keeper.send(script.sent)
            self.folder = next(self._read(self._keeper, script, min(timeout_s, _LOGIN_S)), "")
            if not self.folder:
                self._fail(self._keeper.wait(), script, self._errors)
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether the login still stands, as far as this machine can tell."""
        return self._keeper is not None and self._keeper.poll() is None

    def call(self, script: str, *, send: bytes = b"") -> bytes:
        """Run a shell script in the folder, with ``send`` as its input, and return its output.

        Raises CommandFailed, with the script's complaint, where it fails.
        """
        framed = FramedScript(self._inside(script))
        allowed = self.timeout_s + len(send) / 50_000  # slow Wi-Fi gives 50 kB/s
        with tempfile.TemporaryFile() as errors:
            process = self._start(framed, errors)
            try:
                output = framed.feed(process.communicate(framed.sent + send, timeout=allowed)[0])
            except subprocess.TimeoutExpired:
                self._give_up(process, framed, allowed)
            finally:
                _end(process)
            if framed.status != 0:
                self._fail(process.returncode, framed, errors)
            return output

    def lines(self, script: str) -> Iterator[str]:
        """The lines that a shell script prints, as they come; then raises DeviceError where ``call`` would."""
        framed = FramedScript(self._inside(script))
        with tempfile.TemporaryFile() as errors:
            process = self._start(framed, errors)
            finished = False
            try:
                process.send(framed.sent)
                process.stdin.close()
                yield from self._read(process, framed, self.timeout_s)
                finished = True
            finally:
                if not finished:
                    process.kill()
                    self.close()  # this ends the script on the board
                status = _end(process, kill=False)
            if framed.status != 0:
                self._fail(status, framed, errors)

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

    def _start(self, script: FramedScript, errors: IO[bytes], *, master: bool = False) -> _Session:
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
            return _Session([*words, script.command], errors)
        except (FileNotFoundError, PermissionError) as error:
            raise DeviceError(
                f'{self.address}: cannot start {command[0]!r}: {error.strerror}; install ssh ("apt install'
                f' openssh-client"), or set {COMMAND_VARIABLE}'
            ) from None

    def _inside(self, script: str) -> str:
        return f"cd {shlex.quote(self.folder)} && {{ {script}\n}}"

    def _read(self, process: _Session, script: FramedScript, timeout_s: float) -> Iterator[str]:
        """The lines of a script as they come; raises DeviceError where nothing comes for ``timeout_s``."""
        poll, rest, descriptor = select.poll(), b"", process.stdout.fileno()
        poll.register(descriptor, select.POLLIN)
        while True:
            if not poll.poll(timeout_s * 1000):
                self._give_up(process, script, timeout_s)
            chunk = os.read(descriptor, 1 << 16)
            *lines, rest = (rest + script.feed(chunk)).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
            if not chunk:
                return

    def _give_up(self, process: _Session, script: FramedScript, seconds: float) -> NoReturn:
        process.kill()
        process.wait()
        self.close()
        if said := last_line(script.chatter):
            raise DeviceLost(
                f"{self.address}: the login printed {said!r}, and did nothing for {seconds:.0f} s; a script that it"
                " runs may wait for somebody to answer: log in by hand and look, and let it wait in terminals only"
            )
        raise DeviceLost(
            f"{self.address}: no answer for {seconds:.0f} s, so what ran there was stopped; is the board switched on"
            " and in reach? For a network that takes longer, allow more time"
        )

    def _fail(self, status: int, script: FramedScript, errors: IO[bytes]) -> NoReturn:
        """Raise the error that the end of a session with this status means.

        Where the script has ended, its own status counts: a signal gives 128 plus its number. Else the status 255 is
        that of ssh itself, and any other that of a login which started no script.
        """
        complaints = script.complaints(_bytes(errors))
        if script.status is None and (script.began or status == 255 or status < 0):
            kind = DeviceLost if self.folder else DeviceError  # a first login that fails will fail again
            what = complaint_in(complaints) or "the connection was lost"
            self.close()
            raise kind(f"{self.address}: {what.rstrip('.')}; {remedy(what, self._destination)}")
        if not script.began:
            said = last_line(complaints) or last_line(script.chatter) or f"it ended with status {status}"
            raise DeviceError(
                f"{self.address}: the login starts no commands: {said}; a Linux system is needed, and a user whose"
                " shell is sh, bash, csh or fish (chsh), without a forced command"
            )
        status = status if script.status is None else script.status
        status = 128 - status if 128 < status < 160 else status
        raise CommandFailed(self.address, status, reason(status, complaints))


class _Session(subprocess.Popen[bytes]):
    """A process of ssh whose input and output are pipes."""

    stdin: IO[bytes]
    stdout: IO[bytes]

    def __init__(self, words: list[str], errors: IO[bytes]) -> None:
        super().__init__(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)

    def send(self, text: bytes) -> None:
        """Write to the process's input; what it does not take any more will show in its status."""
        with contextlib.suppress(BrokenPipeError):
            self.stdin.write(text)
            self.stdin.flush()


def _end(process: _Session, *, kill: bool = True) -> int:
    """Close the pipes of a process that has ended, or that is killed now, and return its status."""
    if kill:
        process.kill()
    process.stdout.close()
    process.stdin.close()
    return process.wait()


def _bytes(errors: IO[bytes]) -> bytes:
    if errors.closed:
        return b""
    errors.seek(0)
    return errors.read()
