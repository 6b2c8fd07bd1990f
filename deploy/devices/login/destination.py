"""The word of a board that is reached over ssh: ssh://[user@]host[:port][/folder]."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from b2nn_tvm.errors import DeviceError

_HOST = r"\[[0-9A-Fa-f:.%]+\]|[^@:/\s\[\]]+"
_WORD = re.compile(rf"ssh://(?:([^@/\s]+)@)?({_HOST})(?::(\d{{1,5}}))?(/(?!~[^/])[^\x00-\x1f\x7f]*)?")


@dataclass(frozen=True)
class Destination:
    """The user, the host and the port of a login; ``user`` and ``port`` are empty where ssh's settings have them.

    ``folder`` is where networks go on the board, from / or from ~/; empty for the board's folder of temporary files.
    """

    host: str
    user: str = ""
    port: str = ""
    folder: str = ""

    @classmethod
    def parse(cls, word: str) -> Destination:
        """The destination of ``ssh://[user@]host[:port][/folder]``; the host may be an alias of ~/.ssh/config.

        A folder below the user's home is written as in ssh://pi@board/~/networks. Raises DeviceError where ``word`` is
        of another form.
        """
        found = _WORD.fullmatch(word)
        if not found or any((part or "").startswith("-") for part in found.groups()):
            raise DeviceError(
                "expected ssh://user@host or ssh://user@host:port, with a folder of the board behind it where its /tmp"
                f" will not do, as in ssh://user@host/var/tmp, but got {word!r}"
            )
        folder = (found[4] or "").rstrip("/")
        folder = folder.removeprefix("/") if folder.startswith("/~") else folder
        return cls(found[2].strip("[]"), found[1] or "", found[3] or "", folder)

    @property
    def words(self) -> list[str]:
        """The words of an ssh command line that name the destination."""
        return [*(["-p", self.port] if self.port else []), "--", f"{self.user}@{self.host}" if self.user else self.host]

    def in_folder(self, folder: str) -> str:
        """The word for the same board with another folder."""
        other = replace(self, folder=folder)
        host = f"[{other.host}]" if ":" in other.host else other.host
        return "".join(
            (
                "ssh://",
                f"{other.user}@" if other.user else "",
                host,
                f":{other.port}" if other.port else "",
                "" if other.folder.startswith("/") else "/",
                other.folder,
            )
        )
