"""Devices over ssh, against a real sshd: what it gives equals this machine's, and every way to fail says what to do."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from b2nn_tvm.deploy.devices.bursts import REFERENCE, BurstSettings
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.devices.samples import MeasurementSettings
from b2nn_tvm.deploy.devices.system_facts import describe, read_facts
from b2nn_tvm.deploy.latency.measure import measure
from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.deploy.library.elf import read_elf
from b2nn_tvm.deploy.library.library_files import RUNNER
from b2nn_tvm.errors import DeviceError, DeviceLost, InputError
from b2nn_tvm.targets import target as targets
from tests.support.boards import mounted_folder
from tests.support.deploy.burst_checks import check_rows
from tests.support.deploy.handmade import expected

pytestmark = pytest.mark.usefixtures("short_measurements")

ENDLESS = MeasurementSettings(runs=1_000_000, warmup=0)
ENDLESS_BURSTS = BurstSettings(rounds=1_000_000, burst_ms=1)
HANGS_S = 3  # a board on a machine that is busy with something else answers sooner


def replace_runner(net: Path, folder: Path, script: str) -> Path:
    """A copy of a compiled network whose program is a shell script."""
    shutil.copytree(net, folder)
    (folder / RUNNER).write_text(f"#!/bin/sh\n{script}\n")
    return folder


def test_outputs_are_those_of_this_machine(ssh, artifact, x):
    with open_device(ssh.address) as device:
        for threads in (1, 2):
            outputs = device.run(artifact, {"input": x}, threads=threads)
            np.testing.assert_array_equal(outputs["output"], expected(x) + 1)
            assert int(outputs["tasks"]) == threads
            outputs["output"][:] = 0  # the arrays are the caller's
        with pytest.raises(InputError, match="missing: input"):
            device.run(artifact, {})


def test_a_measurement_is_one_as_here(ssh, artifact):
    with open_device(ssh.address) as device:
        found = measure(artifact, device=device, threads=2, runs=7, precision=0.5)
        assert min(found.runs, found.profiles) >= 7 and found.threads == 2
        assert [row.name for row in found.per_layer] == ["conv1", "layer 0", "layer 1", "tail"]
        assert 0 < found.min_ms <= found.p10_ms <= found.median_ms <= found.p90_ms
        here = describe(ssh.address, read_facts())
        assert found.device == device.describe() == here and here.cpu and here.arch


def test_the_login_and_what_was_sent_stay_until_the_end(ssh, artifact, family):
    settings, found = BurstSettings(rounds=1, burst_ms=0.5), []
    with open_device(ssh.address) as device:
        for _ in range(2):
            list(device.sample(artifact, threads=1, effort=MeasurementSettings(runs=1)))
            list(device.interleave(family[:1], reference=artifact, threads=1, settings=settings))
            found.append({path: path.stat().st_ino for path in (ssh.home / "tmp").glob("b2nn-*/net-*/*")})
    assert len(found[0]) == 4 and found[0] == found[1]


def test_aliases_of_the_users_configuration_work(ssh, artifact, x):
    with open_device("ssh://raspberrypi.local") as device:
        device.run(artifact, {"input": x})


def test_nothing_stays_there(ssh, artifact, x):
    with open_device(ssh.address) as device:
        device.run(artifact, {"input": x})
        rows = device.sample(artifact, threads=1, effort=ENDLESS)
        next(rows)
        assert len(ssh.left_behind(wait_s=0)) == 1
        rows.close()  # a run that is broken off ends there, too
        assert ssh.left_behind() == []
        device.run(artifact, {"input": x})  # and the device can be used again
    assert ssh.left_behind() == []
    assert not [each for each in ssh.sessions() if each.name() == RUNNER]


def test_nothing_stays_there_when_this_side_is_killed(ssh, net):
    code = f"""
from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.deploy.devices.bursts import REFERENCE, BurstSettings
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.devices.samples import MeasurementSettings
device = open_device({ssh.address!r})
for _ in device.sample(load({str(net)!r}), threads=1, effort=MeasurementSettings(runs=1000000)):
    print("running", flush=True)
"""
    root = Path(__file__).parents[3]
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root, start_new_session=True)
    assert client.stdout.readline() == b"running\n"
    runners = [each for each in ssh.sessions() if each.name() == RUNNER]
    assert len(runners) == 1
    client.kill()
    client.wait()
    client.stdout.close()
    assert ssh.left_behind() == []
    _, alive = psutil.wait_procs(runners, timeout=180)
    assert not alive


def test_a_noisy_login_does_no_harm(own_server, artifact, x):
    (own_server.home / ".ssh").mkdir()
    (own_server.home / ".ssh" / "rc").write_text("echo Welcome to this board; echo '{\"motd\": 1}'\n")
    with open_device(own_server.address) as device:
        outputs = device.run(artifact, {"input": x})
        np.testing.assert_array_equal(outputs["output"], expected(x) + 1)
        assert measure(artifact, device=device, runs=3, precision=0.5).runs >= 3


def test_a_board_that_disappears_is_an_error_after_what_came(own_server, artifact, x):
    with open_device(own_server.address) as device:
        came = []
        with pytest.raises(
            DeviceError, match=f'^{own_server.address}: .*check that "ssh -p {own_server.port} pi@127.0.0.1" works'
        ):
            for sample in device.sample(artifact, threads=1, effort=ENDLESS):
                came.append(sample)
                if len(came) == 50:
                    own_server.disappear()
        assert len(came) >= 50
        with pytest.raises(DeviceError, match="Connection refused; switch the board's ssh server on"):
            device.run(artifact, {"input": x})
        own_server.start()
        device.run(artifact, {"input": x})
        assert measure(artifact, device=device, runs=3, precision=0.5).runs >= 3


@pytest.mark.parametrize("victim", ["the run", "the board"])
def test_one_that_hangs_is_given_up(own_server, artifact, victim):
    """Stopped processes answer no more than a board without power, and close nothing."""
    with open_device(own_server.address, timeout_s=HANGS_S) as device:
        rows = device.sample(artifact, threads=1, effort=ENDLESS)
        next(rows)
        if victim == "the run":
            (runner,) = (each for each in own_server.sessions() if each.name() == RUNNER)
            runner.suspend()
        else:
            own_server.signal_sessions(signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(DeviceError, match=f"no answer for {HANGS_S} s.*allow more time"):
            list(rows)
        assert time.monotonic() - start < 180
        if victim == "the run":
            assert own_server.left_behind() == []
            assert not [each for each in own_server.sessions() if each.name() == RUNNER]


def test_a_full_disk_is_named_and_left_as_it_was(own_server, artifact, x):
    words = mounted_folder.words(own_server.home / "tmp", uid=own_server.uid)
    own_server.disappear()
    own_server.start(*words)
    with open_device(own_server.address) as device:
        with pytest.raises(DeviceError, match=r"No space left on device: /.* has \d+ KiB, the network takes \d+ KiB"):
            device.run(artifact, {"input": x})
        assert device._connected().call("ls").split() == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (mounted_folder.NOEXEC, r"no program can be started from /.*/tmp there \(its file system is mounted noexec\)"),
        (mounted_folder.READ_ONLY, r"nothing can be written to /.*/tmp there \(Read-only file system\)"),
    ],
)
def test_a_folder_that_will_not_do_is_named_and_another_one_does(own_server, artifact, x, options, reason):
    words = mounted_folder.words(own_server.home / "tmp", options, uid=own_server.uid)
    own_server.disappear()
    own_server.start(*words)
    refused = pytest.raises(DeviceError, match=rf"{reason}; name another folder of the board, as in ssh://pi@.*/~ or ")
    with open_device(own_server.address) as device, refused:
        device.run(artifact, {"input": x})
    with open_device(f"{own_server.address}/~/new folder") as device:
        with pytest.raises(DeviceError, match="nothing can be written to /.*/new folder there .*No such file"):
            device.run(artifact, {"input": x})
        (own_server.home / "new folder").mkdir()
        (own_server.home / "new folder").chmod(0o777)
        np.testing.assert_array_equal(device.run(artifact, {"input": x})["output"], expected(x) + 1)
        assert measure(artifact, device=device, runs=3, precision=0.5).runs >= 3
        assert len(list((own_server.home / "new folder").iterdir())) == 1
    assert not list((own_server.home / "new folder").iterdir())


def with_loader(net: Path, folder: Path, loader: bytes) -> Path:
    """A copy of a compiled network whose program names another loader, one that this machine does not have."""
    shutil.copytree(net, folder)
    program = (folder / RUNNER).read_bytes()
    known = read_elf(program).loader.encode()
    (folder / RUNNER).write_bytes(program.replace(known, loader.ljust(len(known), b"\0")[: len(known)]))
    return folder


def test_a_board_without_the_loader_is_named_and_a_static_program_runs_there(ssh, net, static_net, family, tmp_path, x):
    other = load(with_loader(net, tmp_path / "net", b"/lib/ld-other.so"))
    refused = pytest.raises(DeviceError, match="needs /lib/ld-other.so, the loader of the GNU C library.*--static")
    with open_device(ssh.address) as device:
        with refused:
            device.run(other, {"input": x})
        with refused:
            measure(other, device=device)
        static = load(static_net)
        outputs = device.run(static, {"input": x}, threads=2)
        np.testing.assert_array_equal(outputs["output"], expected(x) + 1)
        assert int(outputs["tasks"]) == 2
        assert measure(static, device=device, runs=3, precision=0.5).runs >= 3
        with pytest.raises(DeviceError, match="compiled with --static, and such a program runs no other network"):
            next(device.interleave(family[:1], reference=static, threads=1, settings=ENDLESS_BURSTS))


def test_a_program_that_may_not_be_started_is_named(ssh, artifact, x):
    """A file system may keep no permissions."""
    with open_device(ssh.address) as device:
        device.upload(artifact)
        device._connected().call(f"chmod 600 net-*/{RUNNER}")
        with pytest.raises(DeviceError, match=f"the program {RUNNER} may not be started .* noexec, or keeps no perm"):
            device.run(artifact, {"input": x})
        device._connected().call(f"rm net-*/{RUNNER}")
        with pytest.raises(DeviceError, match=f"the program {RUNNER} is not there any more"):
            device.run(artifact, {"input": x})


def test_a_library_that_does_not_fit_is_refused_before_it_is_sent(ssh, artifact):
    def refusal(**changes) -> str:
        manifest = replace(artifact.manifest, **changes)
        with pytest.raises(DeviceError) as caught:
            device.upload(Artifact(artifact.folder, manifest))
        assert device._connected().call("ls") == b""
        return str(caught.value)

    with open_device(ssh.address) as device:
        text = refusal(target=targets.get("arm"))
        assert "compiled for target arm" in text and "this device runs x86_64" in text
        assert "compile it with --target x86 or x86-avx512 or x86-avxvnni or x86-vpopcntdq" in text
        text = refusal(target=replace(artifact.target, requires=("sse2", "tbm8")))
        assert "lacks tbm8; compile it for a target that asks for less" in text
        text = refusal(library=replace(artifact.manifest.library, glibc="9.9"))
        assert "needs the GNU C library 9.9, but this device has 2." in text and "ziglang" in text


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("kill -ILL $$", "stopped by signal 4: it uses an instruction that this CPU lacks"),
        ("kill -SEGV $$", "the library was stopped by signal 11"),
        ("kill -KILL $$", "out of memory"),
        ("echo error: step 1 failed >&2; exit 1", ": step 1 failed$"),
        ("exit 3", "ended with status 3"),
        ("exit 0", "stopped before its end"),
        (
            'echo \'{"row": "start", "kind": "b2nn-bursts", "format_version": 2}\'',
            "version 2; compile the network again",
        ),
        (
            'echo \'{"row": "start", "kind": "b2nn-bursts", "format_version": 1, "reference": "x", "networks": []}\'',
            "other networks run there",
        ),
    ],
)
def test_a_program_that_fails_says_why(ssh, net, tmp_path, script, reason):
    with open_device(ssh.address) as device, pytest.raises(DeviceError, match=reason):
        measure(load(replace_runner(net, tmp_path / "net", script)), device=device)


def test_a_board_that_is_emulated_gives_no_times(own_server, artifact, x):
    """An ARM system over a kernel of x86: it says that it is ARM, and its /proc tells of the other CPU."""
    (own_server.home / "bin").mkdir()
    (own_server.home / "bin" / "uname").write_text("#!/bin/sh\necho aarch64\n")
    (own_server.home / "bin" / "uname").chmod(0o755)
    with open_device(own_server.address) as device:
        assert device.describe().emulated
        with pytest.raises(DeviceError, match="an emulator's time is not a latency"):
            measure(artifact, device=device)
        with pytest.raises(DeviceError, match="an emulator's time is not a latency"):
            device.check(artifact.target)


def test_a_folder_without_the_program_is_refused(ssh, net, tmp_path):
    shutil.copytree(net, tmp_path / "net")
    (tmp_path / "net" / RUNNER).unlink()
    with open_device(ssh.address) as device, pytest.raises(InputError, match=f"expected the program {RUNNER}"):
        device.upload(load(tmp_path / "net"))


@pytest.mark.parametrize(("threads", "profiled"), [(1, False), (2, True)])
def test_networks_take_turns_in_bursts(ssh, family, threads, profiled):
    settings = BurstSettings(rounds=3, burst_ms=1.5, seed=11, profiled=profiled)
    with open_device(ssh.address) as device:
        rows = device.interleave(family, reference=family[1], threads=threads, settings=settings)
        check_rows(rows, [len(each.manifest.steps) for each in family], settings)


def test_bursts_that_are_broken_off_leave_nothing_there(ssh, family):
    with open_device(ssh.address) as device:
        rows = device.interleave(family, reference=family[0], threads=1, settings=ENDLESS_BURSTS)
        assert next(rows).network == REFERENCE
        (runner,) = (each for each in ssh.sessions() if each.name() == RUNNER)
        rows.close()
        _, alive = psutil.wait_procs([runner], timeout=60)
        assert (alive, ssh.left_behind()) == ([], [])
        next(device.interleave(family, reference=family[0], threads=1, settings=ENDLESS_BURSTS))


def test_a_board_that_disappears_between_bursts_is_lost_after_what_came(own_server, family):
    came = []
    with open_device(own_server.address) as device, pytest.raises(DeviceLost, match=f"^{own_server.address}: "):
        for row in device.interleave(family, reference=family[0], threads=1, settings=ENDLESS_BURSTS):
            came.append(row)
            if len(came) == 5:
                own_server.disappear()
    assert len(came) >= 5


def test_a_program_that_is_killed_between_bursts_says_why(ssh, family):
    came = []
    with open_device(ssh.address) as device, pytest.raises(DeviceError, match="the run was killed .* out of memory"):
        for row in device.interleave(family, reference=family[0], threads=1, settings=ENDLESS_BURSTS):
            came.append(row)
            if len(came) == 5:
                next(each for each in ssh.sessions() if each.name() == RUNNER).kill()


def test_bursts_of_what_does_not_fit_are_refused_before_it_is_sent(ssh, artifact):
    foreign = Artifact(artifact.folder, replace(artifact.manifest, target=targets.get("arm")))
    refused = pytest.raises(DeviceError, match=f"{artifact.folder} is compiled for target arm .* this device runs x86")
    with open_device(ssh.address) as device, refused:
        device.interleave([foreign], reference=artifact, threads=1, settings=ENDLESS_BURSTS)
