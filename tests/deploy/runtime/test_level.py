"""A library of several levels chooses one when it is loaded: by the CPU, or as the environment asks for."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.library_files import LEVEL_VARIABLE, LIBRARY, RUNNER
from b2nn_tvm.deploy.library.write_sources import RUNTIME
from b2nn_tvm.errors import DeviceError, InputError
from tests.support.deploy.handmade import Workshop, expected


@pytest.fixture(params=["library", pytest.param("static", marks=pytest.mark.sweep)])
def folder(request, leveled) -> Path:
    """The library, or the program that holds the network itself."""
    return leveled if request.param == "library" else request.getfixturevalue("static_leveled")


@pytest.fixture(scope="module")
def static_leveled(workshop: Workshop) -> Path:
    return workshop.build_levels("static-leveled", static=True)


def described(folder: Path, *words: str, level: str = "") -> tuple[int, str]:
    """(exit status, instruction set or complaint) of b2nn-run."""
    environment = {**os.environ, LEVEL_VARIABLE: level}
    command = [str(folder / RUNNER), "--describe", *words]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)["library"]["isa"] if not done.returncode else done.stderr


def test_the_best_level_runs_for_which_the_cpu_has_all(folder):
    assert described(folder) == (0, "avx512")


def test_a_level_may_be_asked_for(folder):
    assert described(folder, level="avx2") == described(folder, "--level", "avx2") == (0, "avx2")
    assert described(folder, "--level", "avx512", level="avx2") == (0, "avx512")


def test_a_level_that_the_cpu_lacks_is_refused_and_so_is_an_unknown_one(folder):
    status, complaint = described(folder, level="avx512vpopcntdq")
    assert status == 1 and "this CPU lacks avx1024" in complaint
    status, complaint = described(folder, "--level", "sse2")
    assert status == 1 and "this CPU lacks the level that B2NN_LEVEL names" in complaint


def test_each_level_gives_its_own_result_in_one_process(leveled, x):
    """A library that is still loaded goes on with the level that it has chosen; a second one of its file does not."""
    with load(leveled) as free:
        assert free.manifest.isas == ("avx2", "avx512", "avx512vpopcntdq")
        np.testing.assert_array_equal(free.run({"input": x})["output"], expected(x, shifts=1) + np.float32(1))
        for isa, more in (("avx2", 0), ("avx512", 1), ("avx2", 0)):
            with free.at_level(isa) as level:
                assert level.target.vector == isa and len(level.manifest.steps) == 3 + more
                got = level.run({"input": x})["output"]
                np.testing.assert_array_equal(got, expected(x, shifts=1) + np.float32(more))
        assert LEVEL_VARIABLE not in os.environ
        with pytest.raises(DeviceError, match="lacks avx1024"):
            free.at_level("avx512vpopcntdq").run({"input": x})
        with pytest.raises(InputError, match="no level 'neon'; its levels are avx2, avx512, avx512vpopcntdq"):
            free.at_level("neon")


def test_every_byte_of_all_levels_has_its_place(leveled):
    """Equal kernels and constants are stored once."""
    with load(leveled) as artifact:
        sizes = artifact.manifest.sizes
        assert sizes.library == (leveled / LIBRARY).stat().st_size
        parts = {name: size for name, size in vars(sizes).items() if name != "library"}
        assert sum(parts.values()) == sizes.library and min(parts.values()) >= 0
        assert [(level.kernel_code, level.constants) for level in artifact.manifest.levels] == [(0, 0), (0, 0)]


def test_a_library_of_one_level_has_no_choice(net):
    assert described(net, level="sse2") == described(net)


def test_the_runtime_reads_the_variable_of_this_package():
    assert f'#define LEVEL_VARIABLE "{LEVEL_VARIABLE}"' in (RUNTIME / "level.c").read_text()
