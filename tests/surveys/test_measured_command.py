"""What is measured of a command and of the processes that it starts."""

from __future__ import annotations

import os
import sys

from tests.support.surveys.measured_command import measure

MIB = 2**20
HOLD = "import sys, time; x = b'1' * (int(sys.argv[1]) << 20); time.sleep(float(sys.argv[2]))"
PROGRAM = f"""
import subprocess, sys
x = b"1" * (200 << 20)
subprocess.run([sys.executable, "-c", {HOLD!r}, "300", "0.3"], check=True)
print("both")
print("the end")
sys.exit(3)
"""


def test_the_memory_of_processes_at_one_time_is_added_up() -> None:
    cost = measure([sys.executable, "-c", PROGRAM], environment=os.environ)
    assert (cost.status, cost.said) == (3, "the end")
    assert 500 * MIB < cost.peak_bytes < 600 * MIB
    assert 0.02 < cost.cpu_s < 10
    assert cost.wall_s > 0.3


def test_a_peak_between_two_looks_is_seen() -> None:
    program = "import time; x = b'1' * (300 << 20); del x; time.sleep(0.3)"
    cost = measure([sys.executable, "-c", program], environment=os.environ)
    assert 300 * MIB < cost.peak_bytes < 400 * MIB
