"""The memory of a process with its descendants, and the end of all of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from b2nn_tvm.cli.process_tree import kill_tree, resident_bytes, tree

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "x = bytearray(100 << 20); print('ready', flush=True); input()"],
                         stdin=subprocess.PIPE, start_new_session=True)
child.wait()
"""


def test_descendants_count_and_end_with_the_process():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        both = tree(process.pid)
        assert len(both) == 2 and both[0] == process.pid
        assert 100 << 20 < resident_bytes(process.pid) < 300 << 20
        kill_tree(process.pid)
        process.wait()
        deadline = time.monotonic() + 10
        while resident_bytes(both[1]) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert resident_bytes(both[1]) == 0


def test_a_process_that_is_not_there():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert resident_bytes(gone.pid) == 0 and tree(gone.pid) == [gone.pid]
    kill_tree(gone.pid)
    assert resident_bytes(os.getpid()) > 1 << 20
