"""The runtime under the sanitizers of gcc and under valgrind: many instances and threads at once."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.library.library_files import HEADER
from b2nn_tvm.deploy.library.write_sources import (
    LIBRARY_SOURCES,
    PHOTO_SOURCES,
    RUNNER_SOURCES,
    write_runner_sources,
    write_sources,
)
from tests.support.deploy.handmade import KERNELS, STRESS, program

STATIC_ONLY = "linked.c"  # which takes the place of load.c in static programs
PARTS = [path.name for folder in (RUNNER_SOURCES, PHOTO_SOURCES) for path in folder.rglob("*.c")]
RUNNER = tuple(sorted(name for name in PARTS if name != STATIC_ONLY))
OWN = tuple(name for name in RUNNER if name != "stb.c")  # that is third-party code, whose warnings are not ours
STRICT = (
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wshadow",
    "-Wconversion",
    "-Wno-sign-conversion",
    "-Wno-overlength-strings",
    "-Werror",
)
LANGUAGE = ("-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-pthread")


@pytest.fixture(scope="module")
def sources(workshop) -> Path:
    folder = workshop.folder / "sources"
    folder.mkdir()
    whole = program("shift_one", "shift_seven_tasks", "shift_nested")
    write_sources([Level(workshop.target(), whole, [workshop.kernels()])], folder)
    assert write_runner_sources(folder, compiler='gcc "12"') == RUNNER
    shutil.copy(RUNNER_SOURCES / STATIC_ONLY, folder)
    return folder


def compiled(sources: Path, name: str, *flags: str) -> Path:
    """The stress program with runtime and kernels, all compiled with ``flags``."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc; get it with: apt install gcc")
    files = [*LIBRARY_SOURCES, str(KERNELS), str(STRESS)]
    command = ["gcc", *LANGUAGE, *flags, "-DFACTOR=2.0f", "-I.", *files, "-lm", "-o", name]
    done = subprocess.run(command, cwd=sources, check=False, capture_output=True, text=True)
    if "cannot find" in done.stderr:
        pytest.skip(f"this gcc has no {flags[0]}: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return sources / name


def passes(*command) -> None:
    environment = {**os.environ, "TSAN_OPTIONS": "halt_on_error=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-4000:]


@pytest.mark.parametrize("source", [*LIBRARY_SOURCES[:-1], *OWN, STATIC_ONLY])
def test_the_sources_compile_without_a_warning(sources, source):
    if not shutil.which("gcc"):
        pytest.skip("needs gcc; get it with: apt install gcc")
    done = subprocess.run(
        ["gcc", *LANGUAGE, *STRICT, "-I.", "-c", source, "-o", "/dev/null"],
        cwd=sources,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_header_is_good_c_and_cpp(sources):
    if not shutil.which("g++"):
        pytest.skip("needs g++; get it with: apt install g++")
    for compiler, standard, language in (("gcc", "-std=c99", "c"), ("g++", "-std=c++11", "c++")):
        command = [
            compiler,
            standard,
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-fsyntax-only",
            "-x",
            language,
            HEADER,
        ]
        done = subprocess.run(command, cwd=sources, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_no_bad_access_leak_or_undefined_behaviour(sources):
    passes(compiled(sources, "stress-address", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"))


def test_no_data_race(sources):
    program = compiled(sources, "stress-thread", "-fsanitize=thread")
    # The thread sanitizer of older compilers cannot work with the random addresses of newer kernels.
    fixed = ["setarch", platform.machine(), "-R"] if shutil.which("setarch") else []
    passes(*fixed, program)


def test_valgrind_finds_nothing(sources):
    if not shutil.which("valgrind"):
        pytest.skip("needs valgrind; get it with: apt install valgrind")
    passes(
        "valgrind",
        "--quiet",
        "--error-exitcode=9",
        "--leak-check=full",
        compiled(sources, "stress-plain", "-O1", "-DROUNDS=1"),
    )
