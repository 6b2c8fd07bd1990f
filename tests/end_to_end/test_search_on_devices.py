"""A whole search on a board over ssh and over RPC: the board vanishes while it measures, comes back, and the same
search goes on where it stopped.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import b2nn_tvm
from b2nn_tvm.errors import DeviceError
from b2nn_tvm.loop.find_within_budget import PHASE as FIND
from b2nn_tvm.loop.results.result import SearchResult
from b2nn_tvm.plan import Plan
from tests.support.boards.board_process import BoardProcess
from tests.support.boards.ssh_server import SshServer
from tests.support.loop.measured_bursts import VanishInTheMiddle, lines, sessions, settled_networks
from tests.support.loop.small_search import FOUR_LAYERS, QUICK, few_digits, network, stamps

PRECISION = 0.05
# The budget in FLOPs makes layers binary; the one in milliseconds is kept on a machine that does other things, too.
BUDGETS = ["1s", "70%flops"]

pytestmark = pytest.mark.sweep


def search(folder: Path, device: str, progress: Callable[[str, int, int], None] | None = None) -> SearchResult:
    return b2nn_tvm.search(
        network(widths=FOUR_LAYERS),
        data=few_digits(test=8),
        output=folder,
        budget=BUDGETS,
        device=device,
        precision=PRECISION,
        method="front",
        progress=progress,
        **{**QUICK, "masks": 0},
    )


def vanishes(folder: Path, device: str, vanish: Callable[[], None], *, after: str | None = None) -> None:
    """A search whose device vanishes ends with an error that names it, and keeps all that was there before."""
    before = lines(folder) if folder.exists() else []
    progress = VanishInTheMiddle(vanish, after=after)
    with pytest.raises(DeviceError, match=f"^{device}: ") as caught:
        search(folder, device, progress)
    assert progress.vanished, caught.value
    assert lines(folder)[: len(before)] == before
    assert not (folder / "plan.json").exists()


def goes_on(folder: Path, device: str) -> SearchResult:
    """The same search again: nothing that was settled is measured, and no finished phase is done again."""
    done, phases = lines(folder), stamps(folder)
    settled = settled_networks(folder, precision=PRECISION)
    found = search(folder, device)
    assert lines(folder)[: len(done)] == done
    assert phases == {name: stamp for name, stamp in stamps(folder).items() if name in phases}
    more = list(sessions(lines(folder)[len(done) :]))
    assert more and not [each for each in more if {(name, each.profiled) for name in each.networks} & settled]
    assert () not in [each.networks for each in more]  # the float network was watched alone before
    return found


def check_delivery(found: SearchResult, folder: Path) -> None:
    """The library was measured on the board, keeps the budgets, and its phase and bursts are on disk."""
    assert found.within_budget and 0 < found.achieved == found.time.ms <= found.time.high_ms <= found.limit == 1000
    assert found.plan.binary and Plan.load(folder / "plan.json") == found.plan
    assert found.images == 8 and found.agreeing >= 7  # rounding may decide one
    library = json.loads((folder / "native" / "manifest.json").read_text())["library"]["sha256"]
    taken = [each for each in sessions(lines(folder)[1:]) if library in each.networks]
    assert sum(each.bursts for each in taken) == found.time.bursts > 0


def test_a_board_over_ssh_vanishes_twice(ssh: SshServer, tmp_path: Path) -> None:
    """First among the all-float and the all-binary network, then among the candidates."""
    folder = tmp_path / "out"
    vanishes(folder, ssh.address, ssh.disappear)
    first = lines(folder)
    assert next(each.networks for each in sessions(first[1:])) == ()
    assert set(stamps(folder)) >= {"times/reference"} and "training/parent" not in stamps(folder)
    ssh.start()
    vanishes(folder, ssh.address, ssh.disappear, after=FIND)
    assert "training/parent" in stamps(folder) and lines(folder)[: len(first)] == first
    ssh.start()
    found = goes_on(folder, ssh.address)
    check_delivery(found, folder)
    assert ssh.left_behind() == []


def test_a_board_with_a_server_vanishes(tmp_path: Path) -> None:
    folder, board = tmp_path / "out", BoardProcess(tmp_path)
    try:
        vanishes(folder, board.address, lambda: board.signal(signal.SIGKILL))
        board.stop()
        board = BoardProcess(tmp_path, port=board.port)
        check_delivery(goes_on(folder, board.address), folder)
    finally:
        board.stop()
