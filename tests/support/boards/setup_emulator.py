"""Fill a folder with an emulated ARM board: QEMU user mode and the C libraries of AArch64 and ARMv7. Needs no root.

Takes Debian or Ubuntu packages from the sources that apt is configured with, about 20 MB, into FOLDER and nowhere else:

    python -m tests.support.boards.setup_emulator [FOLDER]        (default build/arm-emulator)

A folder that is complete is left as it is.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.boards.apt_packages import download, unpack

STAMP = "complete-1"  # a new number rebuilds old folders
PACKAGES = ("qemu-user", "libc6-arm64-cross", "libc6-armhf-cross")
EMULATORS = ("qemu-aarch64", "qemu-arm")
SYSROOTS = {"sysroot-aarch64": "aarch64-linux-gnu", "sysroot-armv7l": "arm-linux-gnueabihf"}
HOST_LIBRARIES = ("libc6_", "libc-bin_")  # those of the running system must be used: they fit its loader


def set_up(folder: Path) -> None:
    """Fill ``folder`` unless it is complete."""
    if (folder / STAMP).is_file():
        print(f"{folder}: complete")
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".work.") as name:
        work = Path(name)
        for package in download(PACKAGES, work):
            if not package.name.startswith(HOST_LIBRARIES):
                unpack(package, work / "root")
        install(work / "root", folder)
    (folder / STAMP).touch()
    print(f"{folder}: ready")


def install(root: Path, folder: Path) -> None:
    """Move the emulators, their libraries and the sysroots from the unpacked packages into ``folder``."""
    for part in ("bin", "lib", *SYSROOTS):
        shutil.rmtree(folder / part, ignore_errors=True)
    (folder / "bin").mkdir()
    (folder / "lib").mkdir()
    for emulator in EMULATORS:
        shutil.move(root / "usr" / "bin" / emulator, folder / "bin" / emulator)
    for name, triple in SYSROOTS.items():
        shutil.move(root / "usr" / triple, folder / name)
    for library in (*root.glob("lib/*/*.so*"), *root.glob("usr/lib/*/*.so*")):
        if not (folder / "lib" / library.name).exists():
            shutil.copy2(library, folder / "lib" / library.name, follow_symlinks=False)


if __name__ == "__main__":
    set_up(Path(sys.argv[1] if len(sys.argv) > 1 else "build/arm-emulator").absolute())
