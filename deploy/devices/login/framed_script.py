"""A shell script that is sent to a board over ssh, and its output, taken out of all that a login prints around it.

A login may print a banner, set a terminal's title or warn of locales, and its shell may be csh or fish. So the command
line of ssh holds nothing that these shells read in a way of their own: it starts ``sh``, which reads the script from
its standard input. The script prints a mark with a random word before its output, on both streams, and one with its
status behind it. What stands before the first mark is not the script's.
"""

from __future__ import annotations

import secrets


class FramedScript:
    """One run of ``script``: what to start on the board, what to send to it, and the output as it comes back.

    ``status`` is the script's exit status, None until it has ended; ``chatter`` is what came before its output.
    """

    def __init__(self, script: str) -> None:
        word = secrets.token_hex(8)
        self._begin, self._end = f"b2nn-begin-{word}\n".encode(), f"b2nn-end-{word} ".encode()
        # The marks are printed in two parts, so that a shell that prints what it reads prints no mark. In the locale C
        # no program warns of locales, and all complain in English.
        self.sent = f"""LC_ALL=C; export LC_ALL
printf '%s-%s\\n' b2nn-begin {word}; printf '%s-%s\\n' b2nn-begin {word} >&2
( {script}
); status=$?
printf '%s-%s %s\\n' b2nn-end {word} $status
exit $status
""".encode()
        self.command = f"exec sh -c 'eval \"$(dd bs=1 count={len(self.sent)} 2>/dev/null)\"'"
        self.status: int | None = None
        self._began = False
        self._held = b""  # what came and is not given out yet

    @property
    def began(self) -> bool:
        """Whether the script has been started."""
        return self._began

    @property
    def chatter(self) -> str:
        """What came in place of the script's output, while there is none."""
        return "" if self._began else self._held.decode(errors="replace")

    def feed(self, received: bytes) -> bytes:
        """Take what came from the board; return the part of it, and of what was held back, that is the output."""
        if self.status is not None:
            return b""
        self._held += received
        if not self._began:
            _, mark, rest = self._held.partition(self._begin)
            if not mark:
                return b""
            self._began, self._held = True, rest
        output, mark, rest = self._held.partition(self._end)
        if mark:
            if b"\n" in rest:
                self.status = int(rest.partition(b"\n")[0])
            self._held = mark + rest
            return output
        kept = next((n for n in range(len(self._end) - 1, 0, -1) if self._held.endswith(self._end[:n])), 0)
        output, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return output

    def complaints(self, errors: bytes) -> str:
        """What the script wrote to stderr, of all that came there; all of it where the script did not begin."""
        return errors.rpartition(self._begin)[2].decode(errors="replace")
