"""The number of instructions that a kernel executes: it runs once under QEMU, and a plugin counts. The count is exact
and repeatable; it is no time.

The kernel is linked with a few lines of C that call it on buffers of zeros, as the instructions of a convolution do not
depend on the data. Its parallel loops run as one task.
"""

from __future__ import annotations

import platform
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from b2nn_tvm.deploy.devices.qemu import TIMEOUT_S, Emulator, find_emulator
from b2nn_tvm.deploy.library.elf import find_symbol
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.errors import DeviceError

if TYPE_CHECKING:
    from b2nn_tvm.targets.target import TargetInfo

PLUGIN = Path(__file__).parents[1] / "plugin" / "count_blocks.c"
INSTRUCTION_BYTES = 4  # in A64 and in A32


@dataclass(frozen=True)
class Run:
    """Consecutive instructions from ``address`` of the program on, each executed ``executions`` times.

    Runs do not overlap.
    """

    address: int
    instructions: int
    executions: int

    @property
    def end(self) -> int:
        return self.address + self.instructions * INSTRUCTION_BYTES


@dataclass(frozen=True)
class Executed:
    """The record of one call of a kernel: the linked program, and the executed runs of instructions in the kernel."""

    program: bytes
    runs: tuple[Run, ...]

    @property
    def instructions(self) -> int:
        """The number of executed instructions, without those of functions outside the object (memset, exp)."""
        return sum(run.instructions * run.executions for run in self.runs)


def execute_counted(
    kernel: bytes, symbol: str, *, buffers: Sequence[int], scratch: int, target: TargetInfo, cpu: str = ""
) -> Executed:
    """Call the function ``symbol`` of the object file ``kernel`` once, under ``cpu`` (default: the target's own).

    ``buffers`` are the sizes of the function's arguments and ``scratch`` is that of its temporaries, in bytes. Raises
    DeviceError where there is no emulator or the kernel fails, ToolchainError where there is no compiler for the
    target.
    """
    emulator = find_emulator(target.arch)
    with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
        folder = Path(name)
        (folder / "kernel.o").write_bytes(kernel)
        (folder / "call.c").write_text(_caller(symbol, buffers, scratch))
        find_toolchain(target).run(["-no-pie", "-O1", "-o", "call", "call.c", "kernel.o", "-lm"], folder=folder)
        program = (folder / "call").read_bytes()
        # The whole section is counted: the bodies of parallel loops have no symbols, but lie in the same section.
        inside = find_symbol(kernel, symbol)
        first = find_symbol(program, symbol).address - inside.address
        end = first + inside.section_bytes
        _run(emulator, cpu or target.emulator, folder, f"first={first},end={end},out={folder / 'counts'}")
        lines = (folder / "counts").read_text().splitlines()
    return Executed(program, _merge(lines))


def _run(emulator: Emulator, cpu: str, folder: Path, arguments: str) -> None:
    words = ["-plugin", f"{_plugin(emulator)},{arguments}", str(folder / "call")]
    try:
        done = emulator.run(cpu, words)
    except subprocess.TimeoutExpired:
        raise DeviceError(f"emulator:{cpu}: a kernel had not ended after {TIMEOUT_S} s") from None
    if done.returncode or not (folder / "counts").is_file():
        complaint = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise DeviceError(f"emulator:{cpu}: counting the instructions of a kernel failed: {complaint}")


def _merge(lines: Iterable[str]) -> tuple[Run, ...]:
    """The runs of neighbouring, equally often executed instructions, from ``lines`` about blocks that may overlap.

    Each line has the address of a translated block, its number of instructions and its number of executions.
    """
    counts: dict[int, int] = {}
    starts = set()
    for line in lines:
        address, instructions, executions = map(int, line.split())
        starts.add(address)
        for index in range(instructions):
            place = address + index * INSTRUCTION_BYTES
            counts[place] = counts.get(place, 0) + executions
    runs: list[Run] = []
    for address, executions in sorted(counts.items()):
        last = runs[-1] if runs else None
        if last and last.end == address and last.executions == executions:
            runs[-1] = Run(last.address, last.instructions + 1, executions)
        else:
            runs.append(Run(address, 1, executions))
    return tuple(runs)


@cache
def _plugin(emulator: Emulator) -> Path:
    """The path of the plugin, compiled once per process for the version of the plugin interface of this QEMU."""
    from b2nn_tvm.targets import target as targets

    here = next((t for t in map(targets.get, targets.names()[:-1]) if t.arch == platform.machine()), None)
    if here is None:
        raise DeviceError(
            f"counting instructions needs a host of a known architecture; this one is {platform.machine()}"
        )
    folder = tempfile.TemporaryDirectory(prefix="b2nn-plugin-")
    _KEPT.append(folder)
    version = 1 if emulator.version < 9 else 2
    out = Path(folder.name) / "count_blocks.so"
    find_toolchain(here).run(
        ["-shared", "-fPIC", "-O2", f"-DVERSION={version}", "-o", str(out), str(PLUGIN)], folder=out.parent
    )
    return out


_KEPT: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


def _caller(symbol: str, buffers: Sequence[int], scratch: int) -> str:
    """A C program that calls the kernel once; it has the hooks of runtime/backend.c, without threads."""
    arrays = "\n".join(f"static _Alignas(64) unsigned char b{i}[{max(size, 64)}];" for i, size in enumerate(buffers))
    names = ", ".join(f"b{i}" for i in range(len(buffers)))
    types = ", ".join(["void *"] * len(buffers))
    return f"""\
#include <stddef.h>
#include <stdint.h>
extern int {symbol}({types});
{arrays}
static _Alignas(64) unsigned char scratch[{max(scratch, 64)}];
static size_t used;
static void *take(int type, int id, uint64_t bytes, int code, int bits) {{
    (void)type, (void)id, (void)code, (void)bits;
    void *memory = scratch + used;
    used += (bytes + 63) / 64 * 64;
    return memory;
}}
static int give_back(int type, int id, void *memory) {{
    (void)type, (void)id;
    used = (unsigned char *)memory - scratch;
    return 0;
}}
typedef int (*task)(int, void *, void *);
static int launch(task run, void *data, int count) {{
    struct {{ void *sync; int32_t count; }} group = {{NULL, 1}};
    (void)count;
    return run(0, &group, data);
}}
void *(*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int) = take;
int (*__TVMBackendFreeWorkspace)(int, int, void *) = give_back;
int (*__TVMBackendParallelLaunch)(task, void *, int) = launch;
int main(void) {{ return {symbol}({names}); }}
"""
