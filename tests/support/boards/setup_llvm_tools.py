"""Fill a folder with llvm-mca and llvm-objdump, which estimate the cycles of ARM kernels. Needs no root.

Takes Debian or Ubuntu packages from the sources that apt is configured with, about 45 MB, into FOLDER and nowhere else:

    python -m tests.support.boards.setup_llvm_tools [FOLDER]        (default build/llvm-tools)

A folder that is complete is left as it is. Where there is no such package, the tests that want the tools are skipped.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.boards.apt_packages import download, unpack

STAMP = "complete-1"  # a new number rebuilds old folders
VERSION = "19"  # as deploy/estimate/llvm_tools.py wants it: other versions have other models of the CPUs
TOOLS = ("llvm-mca", "llvm-objdump")


def set_up(folder: Path) -> None:
    """Fill ``folder`` unless it is complete."""
    if (folder / STAMP).is_file():
        print(f"{folder}: complete")
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".work.") as name:
        work = Path(name)
        for package in download((f"llvm-{VERSION}",), work, whole=False):
            unpack(package, work / "root")
        install(work / "root", folder)
    (folder / STAMP).touch()
    print(f"{folder}: ready")


def install(root: Path, folder: Path) -> None:
    """Move the tools and the libraries that this machine lacked from the unpacked packages into ``folder``."""
    for part in ("bin", "lib"):
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir()
    for tool in TOOLS:
        shutil.move(root / "usr" / "lib" / f"llvm-{VERSION}" / "bin" / tool, folder / "bin" / tool)
    for library in (*root.glob("lib/*/*.so*"), *root.glob("usr/lib/*/*.so*")):
        if not library.is_symlink() and not (folder / "lib" / library.name).exists():
            shutil.move(library, folder / "lib" / library.name)
    for link in (*root.glob("lib/*/*.so*"), *root.glob("usr/lib/*/*.so*")):
        if link.is_symlink() and (folder / "lib" / link.readlink().name).is_file():
            (folder / "lib" / link.name).symlink_to(link.readlink().name)


if __name__ == "__main__":
    set_up(Path(sys.argv[1] if len(sys.argv) > 1 else "build/llvm-tools").absolute())
