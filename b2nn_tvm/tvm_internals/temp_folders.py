"""The temporary folders that TVM has made in this process, and in the processes from which this one was forked.

What TVM does: ``TempDirectory.TEMPDIRS`` holds the path of each folder until the folder's object is gone or the process
ends in order. The RPC server keeps what a client uploads in such a folder.

Why we need it: a client's process that is killed removes nothing, nor does a server that leaves by ``os._exit``.

When it breaks: see where ``support/utils.py`` keeps the paths, and where ``rpc/server.py`` makes its folder.
"""

from __future__ import annotations

from tvm.support.utils import TempDirectory


def temp_folders() -> tuple[str, ...]:
    """The paths of all temporary folders that have not been removed."""
    return tuple(TempDirectory.TEMPDIRS or ())
