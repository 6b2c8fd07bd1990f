"""The headless Chromium of `make browser`, driven by Playwright."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FOLDER = ROOT / "build" / "browser"
HOW = "make browser gets it"


def missing() -> str:
    """Why there is no browser, and how to get it; an empty string where there is one."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return f"playwright is not installed: {HOW}"
    return "" if _program().is_file() else f"no Chromium below {FOLDER}: {HOW}"


@contextmanager
def browser() -> Iterator[Browser]:
    """The browser, which reaches nothing but files."""
    from playwright.sync_api import sync_playwright

    root = FOLDER / "root"
    folders = {str(path.parent) for path in (root / "usr" / "lib").rglob("*.so*")}
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join([*sorted(folders), os.environ.get("LD_LIBRARY_PATH", "")]).rstrip(":"),
        "XDG_DATA_HOME": str(root / "usr" / "share"),  # where the fonts lie
    }
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=_program(),
            env=environment,
            args=["--no-sandbox"],  # which root's processes cannot have
        )
        try:
            yield opened
        finally:
            opened.close()


def _program() -> Path:
    return FOLDER / "root" / "usr" / "lib" / "chromium" / "chromium-headless-shell"
