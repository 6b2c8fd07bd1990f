"""b2nn-run --interleave: several libraries in one program, a row of JSON for each burst as it comes."""

from __future__ import annotations

import json
import platform
import signal
import subprocess

import pytest

from b2nn_tvm.deploy.devices.bursts import BurstSettings
from b2nn_tvm.deploy.devices.qemu import find_emulator
from b2nn_tvm.deploy.devices.runner import interleave_words
from b2nn_tvm.deploy.devices.sample_rows import bursts
from b2nn_tvm.deploy.devices.system_facts import Conditions, DeviceDescription
from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.deploy.library.library_files import RUNNER
from tests.support.deploy.burst_checks import check_rows, orders
from tests.support.deploy.runner_process import refused, start


def words(family, settings: BurstSettings, threads: int = 1) -> list[str]:
    reference, *others = (str(each.library_path) for each in (family[0], *family))
    return interleave_words(settings, threads=threads, reference=reference, libraries=others)


def check_output(text: str, family: tuple[Artifact, ...], settings: BurstSettings) -> None:
    ids = [each.manifest.library.model_id for each in family]
    rows = bursts((line for line in text.splitlines()), word="here", reference=ids[0], networks=ids)
    check_rows(rows, [len(each.manifest.steps) for each in family], settings)


@pytest.mark.parametrize("profiled", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_each_burst_of_a_network_stands_between_two_of_the_reference(family, threads, profiled):
    settings = BurstSettings(rounds=4, burst_ms=0.7, seed=2**64 - 1, profiled=profiled)
    done = start(family[0].folder, *words(family, settings, threads))
    assert (done.returncode, done.stderr) == (0, "")
    check_output(done.stdout, family, settings)


def test_the_first_row_says_what_runs_where(family):
    done = start(family[0].folder, *words(family, BurstSettings(rounds=1, burst_ms=0.5, seed=5), 2))
    first, *warm = (json.loads(line) for line in done.stdout.splitlines()[:6])
    assert (first["row"], first["kind"], first["format_version"]) == ("start", "b2nn-bursts", 1)
    assert first["networks"] == [each.manifest.library.model_id for each in family]
    assert first["reference"] == first["networks"][0]
    assert {name: first[name] for name in ("threads", "rounds", "burst_ms", "seed", "warmup")} == {
        "threads": 2,
        "rounds": 1,
        "burst_ms": 0.5,
        "seed": 5,
        "warmup": 2,
    }
    device = DeviceDescription(**first["device"])
    assert (device.arch, device.emulated) == (platform.machine(), False)
    assert Conditions(**first["conditions"]).mhz >= 0
    assert [row["network"] for row in warm if row["row"] == "warm"] == [0, 1, 2, 3, -1]


@pytest.mark.parametrize("others", [0, 2])
def test_a_second_reference_follows_the_first(family, others):
    """It is the last library, has no turn of its own, and is never profiled."""
    settings = BurstSettings(rounds=2, burst_ms=0.6, profiled=True, second_reference=True)
    done = start(family[0].folder, *words(family[: others + 1], settings))
    assert (done.returncode, done.stderr) == (0, "")
    rows = [row for row in map(json.loads, done.stdout.splitlines()) if row["row"] == "burst"]
    both = [-1, others]
    turns = [turn for order in orders(0, others, 2) for turn in (*both, *(t for each in order for t in (each, *both)))]
    assert [row["network"] for row in rows] == (turns if others else both * 4)
    assert all(bool(row["step_ms"]) == (row["network"] not in both) for row in rows)
    assert all(row["wall_ms"] >= (0.3 if row["network"] == others else 0.6) - 1e-6 for row in rows)


def test_another_seed_is_another_order():
    found = {seed: orders(seed, 40, 3) for seed in range(3)}
    assert all(sorted(order) == list(range(40)) for rounds in found.values() for order in rounds)
    assert len({tuple(order) for rounds in found.values() for order in rounds}) == 9


def test_a_folder_is_as_good_as_its_library(family):
    folder = family[1].folder
    done = start(folder, "--interleave", "--reference", folder, "--rounds", 1, "--burst-ms", 0.1, folder)
    first, *_, last = (json.loads(line) for line in done.stdout.splitlines())
    assert first["networks"] == [first["reference"]] == [family[1].manifest.library.model_id]
    assert last == {"row": "end"}


def test_rows_come_while_it_runs(family):
    command = [family[0].folder / RUNNER, *words(family, BurstSettings(rounds=1_000_000, burst_ms=0.1))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        rows = [json.loads(process.stdout.readline())["row"] for _ in range(26)]
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
    assert rows == ["start"] + ["warm"] * 5 + (["burst"] * 9 + ["round"]) * 2


def test_it_ends_when_nobody_reads_any_more(family):
    command = [family[0].folder / RUNNER, *words(family, BurstSettings(rounds=1_000_000, burst_ms=0.1))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == -signal.SIGPIPE


def test_a_full_disk_is_an_error(family):
    command = [family[0].folder / RUNNER, *words(family, BurstSettings(rounds=1))]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: cannot write to stdout\n")


def test_a_library_that_cannot_be_loaded_is_named(family, tmp_path):
    folder, missing = family[0].folder, tmp_path / "none.so"
    message = f"error: {missing}: expected the library of a compiled network, but cannot open it"
    assert refused(folder, "--interleave", "--reference", folder, folder, missing) == message
    assert refused(folder, "--interleave", "--reference", missing, folder) == message


@pytest.mark.emulated
@pytest.mark.parametrize(("target", "cpu"), [("arm", "cortex-a72"), ("armv7", "cortex-a7")])
def test_a_board_has_the_same_order(arm_board, bundle_for, target, cpu):
    """Emulated, so the times mean nothing, but the rows are the same."""
    family = (load(bundle_for(target)),) * 3
    settings = BurstSettings(rounds=2, burst_ms=0.5, seed=2**63 + 1, warmup=1)
    emulator = find_emulator(family[0].target.arch)
    done = emulator.run(cpu, [str(family[0].folder / RUNNER), *words(family, settings)])
    assert (done.returncode, done.stderr) == (
        0,
        "note: this CPU is emulated: the times are no latencies of a board\n",
    )
    check_output(done.stdout, family, settings)
