"""Damaged and hostile ONNX files are read, or refused with an error of this project's kinds, in bounded memory.

The changes are drawn from seeds (tests/support/networks/damage.py), so that a fault is there again in the next run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.networks.damage import damaged
from tests.support.networks.onnx_networks import NETWORKS
from tests.support.networks.read_damaged import read_damaged
from tests.support.networks.try_file import EQUAL, REFUSED, UNCHECKED, try_file
from tests.support.paths import ROOT

MODELS = tuple(network.build() for network in NETWORKS.values())
READ, SWEPT, IMPORTED = 3000, 20_000, 1000


@pytest.mark.parametrize("seeds", [range(READ), pytest.param(range(READ, SWEPT), marks=pytest.mark.sweep)], ids=len)
def test_reading_raises_no_other_errors(seeds: range, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    faults, refused = read_damaged(MODELS, seeds, path)
    assert faults == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB
    assert len(seeds) / 3 < refused < len(seeds)  # the changes do damage, but not in vain
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.sweep
def test_importing_raises_no_other_errors_and_takes_no_memory(tmp_path: Path) -> None:
    """In a process of its own, whose death by a signal is a fault as well, and whose memory is measured."""
    code = f"""
import pathlib, resource, sys
from b2nn_tvm.errors import B2nnError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.damage import damaged
from tests.support.networks.onnx_networks import NETWORKS
from tests.support.networks.try_file import EQUAL, REFUSED, UNCHECKED, try_file
models = [network.build() for network in NETWORKS.values()]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path = pathlib.Path(sys.argv[1])
for seed in range({SWEPT}, {SWEPT + IMPORTED}):
    path.write_bytes(damaged(models[seed // 2 % len(models)], seed))
    try:
        import_onnx(path)
    except B2nnError:
        pass
    except Exception as error:
        print("fault: seed", seed, type(error).__name__, str(error)[:200])
    print("seed", seed, flush=True)
print("KiB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "model.onnx")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"status {done.returncode} after {lines[-1:]}: {done.stderr[-500:]}"
    assert [line for line in lines if line.startswith("fault")] == []
    assert int(lines[-1].removeprefix("KiB ")) < 2 * 2**20


def compiled(seeds: range, folder: Path) -> list[str]:
    """What is wrong after files of these seeds went through the whole compiler."""
    faults = []
    for seed in seeds:
        (place := folder / str(seed)).mkdir()
        found = try_file(damaged(MODELS[seed // 2 % len(MODELS)], seed), place, name=f"damaged_files-{seed}")
        if found.outcome not in (EQUAL, REFUSED, UNCHECKED) or found.added_mib > 2048 or found.seconds > 30:
            faults.append(f"seed {seed}: {found}")
    return faults


@pytest.mark.parametrize(
    "seeds",
    [range(SWEPT + IMPORTED, SWEPT + IMPORTED + 6), pytest.param(range(50_000, 50_080), marks=pytest.mark.sweep)],
    ids=len,
)
def test_what_is_still_a_network_compiles_right_and_all_else_is_refused(seeds: range, tmp_path: Path) -> None:
    """docs/surveys/damaged_files.csv has a thousand more."""
    assert compiled(seeds, tmp_path) == []


def test_the_command_refuses_a_damaged_file_with_one_line(tmp_path: Path) -> None:
    """The first damaged files that are refused, through the very command."""
    path, environment = tmp_path / "model.onnx", {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for seed in (0, 1):
        path.write_bytes(damaged(MODELS[5], seed))
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "b2nn_tvm.cli.compile", "model.onnx", "--time-limit", "30s"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        errors = [line for line in done.stderr.splitlines() if not line.endswith(" ...")]
        assert (done.returncode, len(errors), done.stdout) == (1, 1, ""), done.stderr
        assert errors[0].startswith("error: ")
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
