"""The script of a login's first session: it makes a private folder on the board, and removes it in the end."""

from __future__ import annotations

import shlex

from b2nn_tvm.deploy.devices.login.destination import Destination

_KEEPER = """
umask 077
base={base}
other={other}
folder=$(mktemp -d "$base/b2nn-XXXXXX" 2>&1) ||
  {{ echo "error: nothing can be written to $base there (${{folder##*: }}); $other" >&2; exit 1; }}
end() {{
    for pid in "$folder"/*/pid; do [ -f "$pid" ] && kill -9 "$(cat "$pid")"; done 2>/dev/null
    rm -rf "$folder"
    exit ${{1:-0}}
}}
trap end HUP INT TERM PIPE
{{ printf '#!/bin/sh\\nexit 0\\n' >"$folder/start" && chmod 700 "$folder/start"; }} 2>/dev/null ||
  {{ echo "error: no file can be written to $base there: is its disk full? (df -h $base); $other" >&2; end 1; }}
"$folder/start" 2>/dev/null ||
  {{ echo "error: no program can be started from $base there (its file system is mounted noexec); $other" >&2; end 1; }}
rm -f "$folder/start"
echo "$folder"
cat >/dev/null
end
"""


def keeper(destination: Destination) -> str:
    """A shell script that makes a folder, says its path once programs start there, and waits for the end of its input.

    Then, or at a signal, it kills the programs whose numbers are in the folder's files ``*/pid``, and removes it.
    """
    folder = destination.folder
    if folder.startswith("~"):
        base = f'"$HOME"{shlex.quote(folder.removeprefix("~"))}'
    else:
        base = shlex.quote(folder) if folder else '"${TMPDIR:-/tmp}"'
    words = " or ".join(map(destination.in_folder, ("~", "/var/tmp")))
    other = f"name another folder of the board, as in {words}"
    return _KEEPER.format(base=base, other=shlex.quote(other))
