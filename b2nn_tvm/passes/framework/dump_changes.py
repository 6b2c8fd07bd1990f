"""Write the module before and after each pass that changes it, for ``b2nn-compile --dump-ir``.

    012-FoldThreshold-before.py, 012-FoldThreshold-after.py

The number is the place of the pass in the pipeline: passes that change nothing count, too.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import tvm
import tvm_ffi

from b2nn_tvm.errors import InputError

_DUMPED = re.compile(r"\d{3}-\w+-(before|after)\.py")


@tvm.ir.instrument.pass_instrument
class DumpChanges:
    """An instrument that writes the changes of the direct parts of a Sequential into ``folder``.

    The pipeline is a Sequential; a pass that one of its parts calls inside belongs to that part.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._open: list[tvm.IRModule] = []  # the modules given to the passes that run now, one inside the other
        self._number = 0

    def run_before_pass(self, module: tvm.IRModule, _info: tvm.transform.PassInfo) -> None:
        self._open.append(module)

    def run_after_pass(self, module: tvm.IRModule, info: tvm.transform.PassInfo) -> None:
        before = self._open.pop()
        if len(self._open) != 1:
            return
        self._number += 1
        if tvm_ffi.structural_equal(before, module):
            return
        for when, what in (("before", before), ("after", module)):
            path = self._folder / f"{self._number:03d}-{info.name}-{when}.py"
            path.write_text(what.script() + "\n", encoding="utf-8")


def with_instrument(instrument: tvm.ir.instrument.PassInstrument) -> tvm.transform.PassContext:
    """A copy of the present pass context in which ``instrument`` watches as well."""
    now = tvm.transform.PassContext.current()
    instruments = [*(now.instruments or ()), instrument]
    return tvm.transform.PassContext(now.opt_level, now.required_pass, now.disabled_pass, instruments, dict(now.config))


def prepare_dump_folder(path: str | os.PathLike[str]) -> Path:
    """Create the folder, or empty it of the dump of an earlier run.

    Raises InputError where ``path`` is a file, or holds anything else.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--dump-ir takes a folder, and {folder} is a file; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    present = sorted(folder.iterdir())
    for entry in present:
        if not _DUMPED.fullmatch(entry.name):
            raise InputError(
                f"--dump-ir takes a new folder, an empty one or an earlier dump, and {folder} holds {entry.name}; "
                "name another folder"
            )
    for entry in present:
        entry.unlink()
    return folder
