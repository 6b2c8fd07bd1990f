"""The program b2nn-run: where it lies, the words it takes, its lines as a process of this machine, why it failed."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from b2nn_tvm.deploy.devices.bursts import BurstSettings
from b2nn_tvm.deploy.library.library_files import RUNNER
from b2nn_tvm.deploy.library.static_program import is_static
from b2nn_tvm.errors import DeviceError, InputError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact


def find_runner(artifact: Artifact) -> Path:
    """The program beside the library; raises InputError where it is missing."""
    path = artifact.folder / RUNNER
    if not path.is_file():
        raise InputError(
            f"{artifact.folder}: expected the program {RUNNER} beside the library; compile the network again"
        )
    return path


def network_file(artifact: Artifact) -> Path:
    """The file that holds the network for the program beside it: the library, or the program itself if it is static."""
    program = find_runner(artifact)
    return program if is_static(program) else artifact.library_path


def turn_files(artifacts: Iterable[Artifact], *, reference: Artifact) -> list[Path]:
    """The files that hold ``reference`` and ``artifacts`` for the program beside ``reference``.

    Raises DeviceError where this program is static and one of the artifacts is another network, which it cannot load.
    """
    program = find_runner(reference)
    if not is_static(program):
        return [each.library_path for each in (reference, *artifacts)]
    for each in artifacts:
        if each.manifest.library.model_id != reference.manifest.library.model_id:
            raise DeviceError(
                f"{reference.folder} is compiled with --static, and such a program runs no other network, so"
                f" {each.folder} cannot take turns with it; compile both without --static, or measure each alone"
            )
    return [program for _ in (reference, *artifacts)]


def level_words(artifacts: Iterable[Artifact]) -> list[str]:
    """The words that make the program run the level of libraries at which ``artifacts`` are to run.

    Raises DeviceError where they are at several: a program runs one.
    """
    levels = sorted({artifact.level for artifact in artifacts if artifact.level})
    if len(levels) > 1:
        raise DeviceError(f"networks at the levels {' and '.join(levels)} cannot take turns; measure each alone")
    return ["--level", *levels] if levels else []


def interleave_words(settings: BurstSettings, *, threads: int, reference: str, libraries: Iterable[str]) -> list[str]:
    """The words behind the program's name that time ``libraries`` in bursts; the paths are those on the device."""
    numbers = {
        "--threads": threads,
        "--rounds": settings.rounds,
        "--burst-ms": settings.burst_ms,
        "--seed": settings.seed,
        "--warmup": settings.warmup,
    }
    if settings.quiet_ms and settings.patience_ms:
        numbers |= {"--quiet-ms": settings.quiet_ms, "--patience-ms": settings.patience_ms}
    words = ["--interleave", "--reference", reference, *(["--profiled"] if settings.profiled else [])]
    words += ["--second-reference"] if settings.second_reference else []
    return [*words, *(str(word) for pair in numbers.items() for word in pair), *libraries]


def runner_lines(command: Sequence[str], *, word: str) -> Generator[str]:
    """The lines that a process of this machine prints, as they come.

    The process is killed where the caller closes this generator early or is interrupted. Raises DeviceError, with the
    complaint of the program, where it cannot be started or fails; ``word`` is the device's name.
    """
    with tempfile.TemporaryFile() as errors:
        try:
            started = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise DeviceError(
                f"{word}: cannot start {command[0]}: {error.strerror}; compile the network again"
            ) from None
        with started as process:
            try:
                yield from process.stdout or ()
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            errors.seek(0)
            raise DeviceError(f"{word}: {reason(process.returncode, errors.read().decode(errors='replace'))}")


def reason(status: int, complaints: str) -> str:
    """Why a program failed, from its status and what it wrote to stderr; a negative status is that of a signal."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    if status >= 0:
        complaint = next((line for line in lines if line.startswith("error: ")), lines[0] if lines else "")
        if any(f"unexpected argument '{word}'" in complaint for word in ("--interleave", "--second-reference")):
            return f"the program {RUNNER} is of an older version, which cannot interleave; compile the network again"
        return complaint.removeprefix("error: ") or f"the program there ended with status {status}"
    return {
        -4: (
            "the library was stopped by signal 4: it uses an instruction that this CPU lacks; compile it for this"
            " device's target"
        ),
        -9: "the run was killed (signal 9); the device may be out of memory (dmesg tells)",
    }.get(status, f"the library was stopped by signal {-status}")
