"""What library and runner need from a system: libc, libm and pthreads, pages of any size, no executable stack."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.devices.qemu import find_emulator
from b2nn_tvm.deploy.library.elf import read_elf
from b2nn_tvm.deploy.library.library_files import LIBRARY, RUNNER
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.deploy.library.write_sources import LIBRARY_SOURCES, write_sources
from tests.support.deploy.elf_image import read_image
from tests.support.deploy.handmade import KERNELS, STRESS, program

TARGETS = ("native", "arm", "armv7")
# Of the system's C library, under the names that it has on one machine or another.
C_LIBRARY = {"libc.so.6", "libm.so.6", "libpthread.so.0"}
LOADERS = {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "ld-linux-armhf.so.3"}
# Names that the loaders of other machines have, and hooks of profilers that every linker leaves open.
ELSEWHERE = {
    "__tls_get_addr",
    "__gmon_start__",
    "_ITM_deregisterTMCloneTable",
    "_ITM_registerTMCloneTable",
    "__libc_start_main",
}
OLDER = {"__xstat"}  # stat() of glibc before 2.33


@pytest.fixture(params=TARGETS)
def folder(request, bundle_for) -> Path:
    return bundle_for(request.param)


def test_only_the_c_library_is_needed(folder):
    library, runner = read_image(folder / LIBRARY), read_image(folder / RUNNER)
    assert library.needed <= C_LIBRARY | LOADERS
    assert runner.needed <= C_LIBRARY | LOADERS | {"libdl.so.2"}
    assert library.soname == LIBRARY


def test_undefined_names_are_those_of_the_c_library(folder):
    """By this machine's own: nothing of a compiler's helpers, such as locks for 64-bit atomics, is left open."""
    system = [ctypes.CDLL(name) for name in ("libc.so.6", "libm.so.6")]
    for file in (LIBRARY, RUNNER):
        undefined = read_elf((folder / file).read_bytes()).undefined - ELSEWHERE - OLDER
        assert {name for name in undefined if not any(hasattr(each, name) for each in system)} == set()
    assert len(undefined) > 20


def test_segments_fit_pages_of_16_kib(folder):
    """A Raspberry Pi 5 has such pages; x86 has 4 KiB."""
    least = 4096 if "native" in folder.name and os.uname().machine == "x86_64" else 16384
    for file in (LIBRARY, RUNNER):
        image = read_image(folder / file)
        assert min(segment.alignment for segment in image.loaded) >= least
        assert not image.executable_stack


@pytest.mark.emulated
@pytest.mark.parametrize(("target", "cpu"), [("arm", "cortex-a72"), ("armv7", "cortex-a7")])
def test_many_instances_in_many_threads_on_a_board(arm_board, workshop, target, cpu):
    """The program that runs here under the sanitizers (stress.c), with the atomics and pointers of a board."""
    info = workshop.target(target)
    sources = workshop.folder / f"stress-{target}"
    sources.mkdir()
    write_sources([Level(info, program("shift_one", "shift_nested"), [workshop.kernels(target=target)])], sources)
    files = [*LIBRARY_SOURCES, str(KERNELS), str(STRESS)]
    words = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-pthread", "-DFACTOR=2.0f", "-I.", *files, "-lm", "-o", "stress"]
    find_toolchain(info).run(words, folder=sources)
    done = find_emulator(info.arch).run(cpu, [str(sources / "stress")])
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
