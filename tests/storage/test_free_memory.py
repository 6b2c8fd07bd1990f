"""The least of what the machine and the control group say; infinity where none of them says anything."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from b2nn_tvm.storage import free_memory
from b2nn_tvm.storage.free_memory import free_bytes


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, inf),
        ({"meminfo": "MemTotal: 9000 kB\nMemAvailable:   8000 kB\n"}, 8000 * 1024),
        ({"meminfo": "MemAvailable: 8000 kB\n", "memory.max": "max\n", "memory.current": "5\n"}, 8000 * 1024),
        ({"meminfo": "MemAvailable: 8000 kB\n", "memory.max": "3000\n", "memory.current": "1000\n"}, 2000),
        ({"meminfo": "MemAvailable: 1 kB\n", "memory.max": "9000\n", "memory.current": "1000\n"}, 1024),
        ({"memory.max": "3000\n", "memory.current": "2900\n", "memory.stat": "file 9\ninactive_file 800\n"}, 900),
        ({"memory.max": "3000\n", "memory.current": "3100\n"}, 0),
    ],
)
def test_the_least_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], found: float) -> None:
    monkeypatch.setattr(free_memory, "MACHINE", tmp_path / "meminfo")
    monkeypatch.setattr(free_memory, "GROUP", tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert free_bytes() == found


def test_this_machine_has_some() -> None:
    assert free_bytes() > 2**20
