"""Fill a folder with a headless Chromium, which opens reports in tests. Needs no root.

Takes Debian's packages from the sources that apt is configured with, about 75 MB, into FOLDER and nowhere else:

    python -m tests.support.browser.setup_browser [FOLDER]        (default build/browser)

A folder that is complete is left as it is. Where there is no such package, the tests that want a browser are skipped.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.boards.apt_packages import download, unpack

STAMP = "complete-1"  # a new number rebuilds old folders
PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")


def set_up(folder: Path) -> None:
    """Fill ``folder`` unless it is complete."""
    if not (folder / STAMP).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".work.") as name:
            work = Path(name)
            for package in download(PACKAGES, work, whole=False):
                unpack(package, work / "root")
            shutil.rmtree(folder / "root", ignore_errors=True)
            (work / "root").rename(folder / "root")
        (folder / STAMP).touch()
    print(f"{folder}: complete")


if __name__ == "__main__":
    set_up(Path(sys.argv[1] if len(sys.argv) > 1 else "build/browser").absolute())
