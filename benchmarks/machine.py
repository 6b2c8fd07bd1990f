"""The line that names the machine under every table."""

from __future__ import annotations

import platform
from pathlib import Path


def machine() -> str:
    """CPU model and system, as Linux prints them."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return f"{value.strip()}, {platform.system()} {platform.machine()}"
    return platform.platform()
