"""Fill a folder with Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017) from Debian's package. Needs no root.

Takes dataset-fashion-mnist from the sources that apt is configured with, about 31 MB, into FOLDER and nowhere else:

    python -m tests.support.data.setup_fashion_mnist [FOLDER]        (default build/fashion-mnist)

A folder that is complete is left as it is. Where there is no such package, the test that wants it is skipped.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.boards.apt_packages import download, unpack
from tests.support.paths import ROOT

PACKAGE = "dataset-fashion-mnist"
FILES = 4
FOLDER = ROOT / "build" / "fashion-mnist"


def set_up(folder: Path) -> None:
    """Fill ``folder`` unless it is there."""
    if folder.is_dir():
        print(f"{folder}: complete")
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".work.") as name:
        work = Path(name)
        for package in download((PACKAGE,), work, whole=False):
            unpack(package, work / "root")
        found = sorted((work / "root").rglob("*-ubyte*"))
        if len(found) != FILES:
            sys.exit(f"error: expected {FILES} IDX files in {PACKAGE}, but found {[file.name for file in found]}")
        shutil.move(found[0].parent, folder)
    print(f"{folder}: ready")


if __name__ == "__main__":
    set_up(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else FOLDER)
