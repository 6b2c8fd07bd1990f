"""Several boards behind TVM's tracker, all real processes: one that is slow, dead or taken does not stop the work."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.deploy.devices.bursts import BurstSettings
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.latency.device_bench import DeviceBench
from b2nn_tvm.deploy.latency.effort import Effort
from b2nn_tvm.deploy.latency.measure import measure
from b2nn_tvm.deploy.latency.profile import profile
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.errors import DeviceError, DeviceLost
from b2nn_tvm.targets.target import get
from tests.support.boards.board_process import BoardProcess, free_port, tracker
from tests.support.deploy.burst_checks import check_rows
from tests.support.deploy.handmade import expected

pytest.importorskip("tornado", reason="TVM's tracker needs it; pip install 'b2nn-tvm[tracker]'")

pytestmark = pytest.mark.usefixtures("short_measurements")


@pytest.fixture(scope="module")
def address():
    with tracker() as address:
        yield address


@pytest.fixture
def boards(address, tmp_path):
    """Two boards with the key "pair"."""
    both = [BoardProcess(tmp_path, "--tracker", address, "--key", "pair", wait=False) for _ in range(2)]
    for board in both:
        board.ready()
    with open_device(f"tracker://{address}/pair") as device:
        deadline = time.monotonic() + 180
        while device.parallel_devices() < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
    yield both
    for board in both:
        board.stop()


def serving(boards: list[BoardProcess]) -> BoardProcess:
    """The board that has a connection now."""
    (found,) = (board for board in boards if len(board.processes()) > 1)
    return found


def test_boards_are_lent_and_given_back(address, boards, artifact, family, x):
    word = f"tracker://{address}/pair"
    with open_device(word) as first, open_device(word) as second, open_device(word, timeout_s=3) as third:
        for device in (first, second):
            np.testing.assert_array_equal(device.run(artifact, {"input": x})["output"], expected(x) + 1)
        assert all(len(board.processes()) > 1 for board in boards)
        with pytest.raises(DeviceLost, match="none of 2 boards became free within 3 s"):
            third.describe()
        first.close()
        assert measure(artifact, device=second, runs=3).device.name == word
        settings = BurstSettings(rounds=2, burst_ms=1)
        rows = second.interleave(family, reference=artifact, threads=1, settings=settings)
        check_rows(rows, [len(each.manifest.steps) for each in family], settings)
    assert [board.left_behind() for board in boards] == [[], []]


@pytest.mark.parametrize(
    ("number", "timeout_s"),
    [pytest.param(signal.SIGKILL, 120, id="dead", marks=pytest.mark.sweep), pytest.param(signal.SIGSTOP, 4, id="hung")],
)
def test_another_board_takes_over(address, boards, artifact, x, number, timeout_s):
    with open_device(f"tracker://{address}/pair", timeout_s=timeout_s) as device:
        device.run(artifact, {"input": x})
        lost = serving(boards)
        lost.signal(number)
        np.testing.assert_array_equal(device.run(artifact, {"input": x})["output"], expected(x) + 1)
        assert serving([board for board in boards if board is not lost])


@pytest.mark.sweep
def test_a_measurement_goes_on_with_another_board(address, boards, artifact, tmp_path):
    notes = []
    with open_device(f"tracker://{address}/pair", timeout_s=120) as device:
        whole = device.interleave

        def interleave(*arguments, **options):
            for count, row in enumerate(whole(*arguments, **options)):
                if count == 4 and not notes:
                    serving(boards).signal(signal.SIGKILL)
                yield row

        device.interleave = interleave
        effort = Effort(precision=0.5, runs=200_000)
        found = profile(
            artifact, device=device, threads=1, effort=effort, costs=tmp_path / "costs.json", note=notes.append
        )
        assert min(found.runs, found.profiles) >= 200_000
        assert len(notes) == 1 and "another board goes on" in notes[0]


def test_boards_share_the_tuning_and_one_hangs(address, boards, artifact, tmp_path):
    """A board stops answering; the trials that it has in its hands are timed by the other one, too."""
    folders = [Path(shutil.copytree(artifact.folder, tmp_path / str(index))) for index in range(12)]
    with DeviceBench(f"tracker://{address}/pair", target=get("native"), timeout_s=4) as bench:
        for some in (folders[:4], folders[4:]):
            found = dict(bench.time([(load(folder), ()) for folder in some]))
            assert sorted(found) == list(range(len(some))) and all(0 < seconds < 1e-3 for seconds in found.values())
            assert not any(folder.exists() for folder in some)
            boards[0].signal(signal.SIGSTOP)


def test_what_is_missing_is_named(address):
    with (
        open_device(f"tracker://{address}/rpi9") as device,
        pytest.raises(DeviceError, match="no board with key 'rpi9'.*--key rpi9"),
    ):
        device.describe()
    port = free_port()
    with (
        open_device(f"tracker://127.0.0.1:{port}/rpi4") as device,
        pytest.raises(
            DeviceError, match=f'start one with "python -m tvm.exec.rpc_tracker --host 127.0.0.1 --port {port}"'
        ),
    ):
        device.describe()


@pytest.mark.parametrize(
    "word", ["tracker://host:1", "tracker://host/rpi4", "tracker://host:1/", "tracker://host:1/a b"]
)
def test_misspelled_words_are_refused(word):
    with pytest.raises(DeviceError, match="expected tracker://host:port/key"):
        open_device(word)
