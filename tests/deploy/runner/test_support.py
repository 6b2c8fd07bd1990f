"""How every part of b2nn-run ends the program, and the memory that it gets."""

from __future__ import annotations

import subprocess

import pytest

from b2nn_tvm.deploy.library.write_sources import write_runner_sources

MAIN = r"""
#include <stdlib.h>
#include "runner.h"
int main(int argc, char **argv) {
    uint64_t bytes = strtoull(argv[1], NULL, 10);
    unsigned char *memory = allocate(bytes), any = 0;
    (void)argc;
    for (uint64_t i = 0; i < bytes; i++) any |= memory[i];
    printf("%d %d\n", (int)((uintptr_t)memory % 64), any);
    fail(USAGE, "%s: %d of %s", "x", 3, "5");
}
"""


@pytest.fixture(scope="module")
def program(workshop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("support")
    write_runner_sources(folder, compiler="cc")
    (folder / "try.c").write_text(MAIN)
    sources = [str(folder / name) for name in ("try.c", "support.c")]
    workshop.compile(workshop.target(), f"-I{folder}", *sources, "-o", str(folder / "try"))
    return folder / "try"


@pytest.mark.parametrize("count", [0, 1, 63, 65, 100_000])
def test_memory_lies_on_64_bytes_and_is_zero_and_an_error_is_one_line_behind_what_was_printed(program, count):
    done = subprocess.run([program, str(count)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (2, "0 0\n", "error: x: 3 of 5\n")


@pytest.mark.parametrize("count", [2**64 - 1, 2**62])
def test_memory_that_there_is_not_ends_the_program(program, count):
    done = subprocess.run([program, str(count)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: not enough memory\n")
