"""The sources of a library and of its runner: the runtime's, the generated ones, and the kernels' object files."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from b2nn_tvm.deploy.codegen.emit_c import CONSTANTS_SOURCE, MODEL_SOURCE, emit_c, quote
from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.library.library_files import HEADER, LIBRARY
from b2nn_tvm.version import __version__

DEPLOY = Path(__file__).parents[1]
RUNTIME = DEPLOY / "runtime"  # the sources that are linked into the library
RUNNER_SOURCES = DEPLOY / "runner"
PHOTO_SOURCES = DEPLOY / "photo"  # the part of the runner that reads photos
THIRD_PARTY = DEPLOY / "third_party" / "stb"
RUNTIME_CODE = ("model.c", "level.c", "threads.c", "backend.c", "cpu.c")  # the same for every network
LIBRARY_SOURCES = (MODEL_SOURCE, *RUNTIME_CODE, CONSTANTS_SOURCE)


def write_sources(levels: Sequence[Level], folder: Path) -> str:
    """Write the sources of the library into ``folder``, and return the model's id.

    The sources are the runtime, the generated files and the object files of the kernels. The ``levels`` have the same
    constants.
    """
    digest = hashlib.sha256(levels[0].target.name.encode())
    for pieces in (*((content,) for content in _objects(levels)), *emit_c(levels, model_id="").values()):
        digest.update(_sha256(pieces))
    for path in RUNTIME.iterdir():
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    for name, pieces in emit_c(levels, model_id=digest.hexdigest()).items():
        with (folder / name).open("wb") as file:
            file.writelines(pieces)
    for name, content in zip(kernel_files(levels), _objects(levels), strict=True):
        (folder / name).write_bytes(content)
    return digest.hexdigest()


def _sha256(pieces: Iterable[bytes | memoryview]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _objects(levels: Sequence[Level]) -> list[bytes]:
    """The object files of all kernels, each once."""
    return list(dict.fromkeys(content for level in levels for content in level.kernels))


def kernel_files(levels: Sequence[Level]) -> list[str]:
    """The names of the object files among the sources of a library."""
    return [f"kernel_{index}.o" for index in range(len(_objects(levels)))]


def write_runner_sources(folder: Path, *, compiler: str, static: bool = False) -> tuple[str, ...]:
    """Write the sources of b2nn-run, static or not, into ``folder``; return the names of the C files."""
    definitions = {"B2NN_VERSION": __version__, "B2NN_COMPILER": compiler, "B2NN_LIBRARY": LIBRARY}
    lines = [f"#define {name} {quote(value)}\n" for name, value in definitions.items()]
    (folder / "build_info.h").write_text("".join(lines), encoding="utf-8")
    shutil.copyfile(RUNTIME / HEADER, folder / HEADER)
    found = [path for part in (RUNNER_SOURCES, PHOTO_SOURCES, THIRD_PARTY) for path in part.rglob("*.[ch]")]
    for path in found:
        shutil.copyfile(path, folder / path.name)
    of_the_other_kind = "load.c" if static else "linked.c"
    return tuple(sorted(path.name for path in found if path.suffix == ".c" and path.name != of_the_other_kind))
