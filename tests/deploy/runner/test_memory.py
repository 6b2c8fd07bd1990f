"""b2nn-run under the sanitizers of gcc, and it with a compiled network under valgrind: no access beyond, no leak."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.library.library_files import LIBRARY, RUNNER
from b2nn_tvm.deploy.library.write_sources import LIBRARY_SOURCES, RUNNER_SOURCES, write_runner_sources, write_sources
from b2nn_tvm.targets import target as targets
from tests.support.deploy.handmade import DAMAGED, KERNELS, N, program

SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
DECODER = "stb.c"
C = ("gcc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-pthread", "-I.")


def compiled(folder: Path, *words: str) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc; get it with: apt install gcc")
    done = subprocess.run([*C, *words], cwd=folder, check=False, capture_output=True, text=True)
    if "cannot find" in done.stderr:
        pytest.skip(f"this gcc has no sanitizers: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


def run(*command: object) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def sanitized(workshop) -> Path:
    """A folder with b2nn-run and a library, both compiled with the sanitizers."""
    folder = workshop.folder / "sanitized"
    folder.mkdir()
    write_sources([Level(workshop.target(), program("shift_one", "shift_nested"), [workshop.kernels()])], folder)
    sources = write_runner_sources(folder, compiler="gcc")
    kernels = (str(KERNELS), "-DFACTOR=2.0f")
    compiled(folder, *SANITIZE, "-fPIC", "-shared", *LIBRARY_SOURCES, *kernels, "-lm", "-o", LIBRARY)
    compiled(folder, "-O0", "-c", DECODER)  # photo/test_memory.py looks at this one, which takes longest
    own = [name for name in sources if name != DECODER]
    compiled(folder, *SANITIZE, *own, "stb.o", "-ldl", "-lm", "-o", RUNNER)
    return folder


def test_the_ways_through_the_program_are_clean(sanitized, x, tmp_path):
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "labels.txt").write_text("".join(f"label {i}\r\n" for i in range(N)))
    outputs = ("--output", tmp_path / "y.npy", "--output", tmp_path / "tasks")
    image = ("--input", tmp_path / "x.npy")
    for words in (
        (),
        image,
        (*image, *outputs),
        (*image, "--labels", tmp_path / "labels.txt", "--top", 1000),
        ("--describe",),
        ("--profile", "--runs", 200, "--threads", 3),
        ("--profile", "--runs", 0),
        ("--interleave", "--reference", sanitized, "--rounds", 3, "--burst-ms", 1, "--profiled", sanitized, sanitized),
        ("--help",),
        ("--version",),
    ):
        done = run(sanitized / RUNNER, *words)
        assert (done.returncode, "ERROR" in done.stderr) == (0, False), done.stderr[-3000:]


def test_damaged_files_do_no_harm(sanitized, tmp_path):
    sources = [str(RUNNER_SOURCES / "tensor_file.c"), str(DAMAGED)]
    compiled(sanitized, *SANITIZE, *sources, "-o", "damaged")
    done = run(sanitized / "damaged", tmp_path / "x.npy")
    assert (done.returncode, done.stderr) == (0, "")
    refused, _, files, _ = done.stdout.split()
    assert int(files) / 2 < int(refused) < int(files)


@pytest.mark.skipif(bool(targets.get("x86").missing), reason="needs a CPU with AVX2")
@pytest.mark.parametrize("threads", [1, 3])
def test_compiled_kernels_stay_within_their_memory(small_network, tmp_path, threads):
    """A float and a binary convolution of sizes that fill no vector, pooling and a dense layer, as they ship."""
    if not shutil.which("valgrind"):
        pytest.skip("needs valgrind; get it with: apt install valgrind")
    done = run(
        "valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", small_network / RUNNER, "--threads", threads
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == run(small_network / RUNNER).stdout
