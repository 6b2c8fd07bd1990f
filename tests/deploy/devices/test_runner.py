"""The program b2nn-run as a process: its lines as they come, its complaints as errors, and nothing left running."""

from __future__ import annotations

import shutil
import subprocess
import sys

import psutil
import pytest

from b2nn_tvm.deploy.devices.bursts import BurstSettings
from b2nn_tvm.deploy.devices.runner import find_runner, interleave_words, level_words, reason, runner_lines
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.library_files import RUNNER
from b2nn_tvm.errors import DeviceError, InputError
from tests.support.paths import ROOT


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def test_the_program_is_beside_the_library(artifact, tmp_path):
    assert find_runner(artifact) == artifact.folder / RUNNER
    shutil.copytree(artifact.folder, tmp_path / "net")
    (tmp_path / "net" / RUNNER).unlink()
    with pytest.raises(InputError, match=f"net: expected the program {RUNNER} beside the library; compile"):
        find_runner(load(tmp_path / "net"))


def test_words_are_those_of_the_program():
    settings = BurstSettings(rounds=3, burst_ms=2.5, seed=7, profiled=True, warmup=1)
    words = interleave_words(settings, threads=2, reference="r.so", libraries=["a.so", "b.so"])
    assert " ".join(words) == (
        "--interleave --reference r.so --profiled --threads 2 --rounds 3 --burst-ms 2.5 --seed 7 --warmup 1 a.so b.so"
    )
    plain = interleave_words(BurstSettings(), threads=1, reference="r.so", libraries=[])
    assert "--profiled" not in plain and "--second-reference" not in plain
    two = interleave_words(BurstSettings(second_reference=True), threads=1, reference="r.so", libraries=["a.so"])
    assert two[:4] == ["--interleave", "--reference", "r.so", "--second-reference"] and two[-1] == "a.so"


def test_a_program_runs_one_level(leveled):
    free = load(leveled)
    assert level_words([free, free]) == []
    assert level_words([free, free.at_level("avx2")]) == ["--level", "avx2"]
    with pytest.raises(DeviceError, match="at the levels avx2 and avx512 cannot take turns; measure each alone"):
        level_words([free.at_level("avx512"), free.at_level("avx2")])


def test_lines_come_while_it_runs_and_closing_ends_it():
    lines = runner_lines(shell("echo $$; echo two; exec sleep 600"), word="local")
    process = psutil.Process(int(next(lines)))
    assert next(lines) == "two\n" and process.is_running()
    lines.close()
    assert not process.is_running()


def test_an_interruption_ends_it():
    lines = runner_lines(shell("echo $$; exec sleep 600"), word="local")
    process = psutil.Process(int(next(lines)))
    with pytest.raises(KeyboardInterrupt):
        lines.throw(KeyboardInterrupt)
    assert not process.is_running()


def test_it_ends_when_its_reader_is_killed():
    """It then writes into a closed pipe."""
    code = """
from b2nn_tvm.deploy.devices.runner import runner_lines
lines = runner_lines(["/bin/sh", "-c", "echo $$; while echo row; do sleep 0.01; done"], word="local")
while True:
    print(next(lines), end="", flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as reader:
        process = psutil.Process(int(reader.stdout.readline()))
        reader.kill()
    _, alive = psutil.wait_procs([process], timeout=60)
    assert not alive


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo row; echo note: first >&2; echo error: step 1 failed >&2; exit 1", "step 1 failed"),
        ("echo row; exit 3", "the program there ended with status 3"),
        ("echo row; kill -SEGV $$", "the library was stopped by signal 11"),
        ("echo row; kill -KILL $$", r"the run was killed \(signal 9\); the device may be out of memory"),
    ],
)
def test_a_failure_is_an_error_after_what_came(script, message):
    came = []
    with pytest.raises(DeviceError, match=f"^here: {message}"):
        came.extend(runner_lines(shell(script), word="here"))
    assert came == ["row\n"]


def test_a_program_that_cannot_be_started_is_named(tmp_path):
    (tmp_path / RUNNER).write_text("no program\n")
    with pytest.raises(DeviceError, match=f"local: cannot start {tmp_path / RUNNER}: Permission denied; compile"):
        next(runner_lines([str(tmp_path / RUNNER)], word="local"))


def test_a_status_says_what_to_do():
    assert "uses an instruction that this CPU lacks; compile it for this device's target" in reason(-4, "")
    assert reason(-11, "error: not this\n") == "the library was stopped by signal 11"
    assert reason(1, "\n note: a\nerror: b\nerror: c\n") == "b"
    assert reason(1, "Illegal option\nmore\n") == "Illegal option"
    for word in ("--interleave", "--second-reference"):
        older = f"error: unexpected argument '{word}'; b2nn-run --help lists the options"
        assert "b2nn-run is of an older version, which cannot interleave; compile the network again" in reason(2, older)
    assert reason(3, "") == "the program there ended with status 3"
