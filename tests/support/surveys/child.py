"""A child process that tries the things of a survey, seen from its parent: rows, a time limit, and what killed it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time

from tests.support.paths import ROOT
from tests.support.surveys.registry import CRASHED, OUTCOME, REASON, TIMED_OUT, Survey

START_LIMIT_S = 120.0
WORKER = ("-m", "tests.support.surveys.worker")


class Child:
    """One process of ``survey``, with the ``names`` of all that it can try. Raises RuntimeError where it cannot start.

    ``alive`` is False after a thing has killed the process or took too long.
    """

    def __init__(self, survey: Survey, *, worker: tuple[str, ...] = WORKER) -> None:
        self._survey = survey
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        environment = dict(os.environ, PYTHONPATH=str(ROOT))
        self._process = subprocess.Popen(
            [survey.python, *worker, survey.name],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
            start_new_session=True,
        )
        self._unread = b""
        self.alive, self.tried = True, 0
        answer = self._answer(START_LIMIT_S)
        if not isinstance(answer, list):
            raise RuntimeError(f"the survey {survey.name} does not start: {answer}")
        self.names: list[str] = answer

    def row(self, name: str) -> dict[str, str]:
        """Try ``name``; where that ends the process, the outcome is "crashed" or "timed out", with the reason."""
        self.tried += 1
        begun = time.monotonic()
        with contextlib.suppress(BrokenPipeError):  # the answer says how it ended
            self._process.stdin.write(json.dumps(name).encode() + b"\n")
        answer = self._answer(self._survey.limit_s)
        if isinstance(answer, dict):
            return answer
        late = time.monotonic() - begun >= self._survey.limit_s
        return {OUTCOME: TIMED_OUT if late else CRASHED, REASON: str(answer)}

    def close(self) -> None:
        """End the process, and all that it has started."""
        self.alive = False
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            stream.close()

    def _answer(self, limit_s: float) -> object:
        """The next answer; a text where there is none, and the process is ended then."""
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            read = os.read(self._process.stdout.fileno(), 1 << 16) if ready else b""
            if not read:
                reason = self._end() if ready else f"no answer within {limit_s:g} s"
                self.close()
                return reason
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def _end(self) -> str:
        """The signal that ended the process, or its last words."""
        code = self._process.wait()
        self._log.seek(0)
        words = self._log.read().decode(errors="replace").strip().splitlines() or [""]
        return signal.Signals(-code).name if code < 0 else f"exit {code}: {words[-1]}"
