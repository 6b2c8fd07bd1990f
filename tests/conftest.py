"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.sweep import mark_sweeps

if TYPE_CHECKING:
    from b2nn_tvm.deploy.estimate.llvm_tools import LlvmTools
    from tests.support.boards.ssh_server import SshServer


FAST = [
    path.rstrip("/")
    for line in (Path(__file__).parent / "fast_tests.txt").read_text(encoding="utf-8").splitlines()
    if (path := line.partition("#")[0].strip())
]


@cache
def is_fast(path: str) -> bool:
    """Whether a file of tests, or a folder that it is in, stands in fast_tests.txt."""
    return any(path == fast or path.startswith(f"{fast}/") for fast in FAST)


def pytest_configure() -> None:
    """A shell that starts the tests in the background has them ignore SIGINT, and all their children too; some tests
    interrupt.

    Where several processes run tests side by side, each of them computes with one thread, and so do its children.

    What is compiled to collect the tests is kept, whatever the environment says: pytest rewrites their assertions,
    which takes a third of the collection.
    """
    sys.dont_write_bytecode = False
    if "PYTEST_XDIST_WORKER" in os.environ:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


# First, as pytest's own, which selects what -m says, comes after the marks that it selects by.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks as fast what stands in fast_tests.txt.

    What has a timeout of its own takes longest: it starts first, so that in the end no process waits for another one.
    """
    for item in items:
        if is_fast(item.nodeid.partition("::")[0]) and not item.get_closest_marker("compiles"):
            item.add_marker("fast")
    mark_sweeps(items)
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the collector of cycles need not look at it again and again."""
    sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Files that share what takes long to make go to one process."""
    from tests.support.side_by_side import scheduler

    return scheduler(config, log)


@pytest.fixture(scope="module")
def short_measurements() -> Iterator[None]:
    """Measurements end soon: nobody asks here whether a time is the true one."""
    from tests.support.deploy.short_measurements import shorten

    with pytest.MonkeyPatch.context() as patch:
        shorten(patch.setattr)
        yield


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch computes with one thread: the last bits of a sum depend on how many threads add up parts of it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def ssh_server_programs(pytestconfig) -> Path:
    """Where the programs of an ssh server are. Skips the test where there are none; the reason says how to get them."""
    folder = pytestconfig.rootpath / "build" / "ssh-server"
    if not any(folder.glob("complete-*")):
        pytest.skip(f'no ssh server in {folder}; get one with "make ssh-server"')
    return folder


@pytest.fixture(scope="module")
def ssh_server(ssh_server_programs) -> Iterator[SshServer]:
    """A real ssh server on loopback."""
    from tests.support.boards.ssh_server import SshServer

    server = SshServer(ssh_server_programs)
    yield server
    server.stop()


@pytest.fixture
def ssh(ssh_server, monkeypatch) -> SshServer:
    """The server, and this process set up to log in there."""
    monkeypatch.setenv("B2NN_SSH", ssh_server.client)
    return ssh_server


@pytest.fixture
def llvm_tools(monkeypatch, pytestconfig) -> LlvmTools:
    """llvm-mca and llvm-objdump, which estimate cycles; skips the test where they are not, and says how to get them."""
    from b2nn_tvm.deploy.estimate.llvm_tools import FOLDER_VARIABLE, find_llvm_tools
    from b2nn_tvm.errors import ToolchainError

    if FOLDER_VARIABLE not in os.environ:
        monkeypatch.setenv(FOLDER_VARIABLE, str(pytestconfig.rootpath / "build" / "llvm-tools"))
    try:
        return find_llvm_tools()
    except ToolchainError as error:
        pytest.skip(str(error))
