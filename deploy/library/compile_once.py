"""The output of a C compiler, kept in the user's cache for as long as compiler, arguments and sources stay the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from b2nn_tvm.deploy.library.toolchain import Toolchain
from b2nn_tvm.storage.content_cache import user_content_cache


def compile_once(toolchain: Toolchain, arguments: Sequence[str], *, folder: Path, output: str) -> bytes:
    """The file ``output`` that the compiler makes in ``folder``, from the cache where it was made before.

    All files in ``folder`` count as sources. Raises ToolchainError where the compiler fails, InputError as
    ``user_content_cache`` does.
    """
    stored = user_content_cache("compiled")
    digest = hashlib.sha256(repr((toolchain, list(arguments))).encode())
    for path in sorted(folder.iterdir()):
        digest.update(hashlib.sha256(path.name.encode() + b"\0" + path.read_bytes()).digest())
    if (content := stored.load(digest.hexdigest())) is None:
        toolchain.run(arguments, folder=folder)
        content = (folder / output).read_bytes()
        stored.store(digest.hexdigest(), content)
        stored.trim()
    return content
