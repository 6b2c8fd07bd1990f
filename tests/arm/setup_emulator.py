"""Fill a folder with an emulated ARM board: QEMU user mode and the C libraries of AArch64 and ARMv7. Needs no root.

Takes Debian or Ubuntu packages from the sources that apt is configured with, about 20 MB, into FOLDER and nowhere else:

    python tests/arm/setup_emulator.py [FOLDER]        (default build/arm-emulator)

A folder that is complete is left as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

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
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            sys.exit(
                f"error: no {tool} on this machine; install QEMU user mode and the C library for AArch64 by other means"
            )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".work.") as name:
        work = Path(name)
        for package in download(work):
            host_library = package.name.startswith(HOST_LIBRARIES)
            if not host_library:
                run("dpkg-deb", "-x", str(package), str(work / "root"))
        install(work / "root", folder)
    (folder / STAMP).touch()
    print(f"{folder}: ready")


def download(work: Path) -> list[Path]:
    """Fetch the packages and all that they depend on, with apt's state in ``work`` instead of the system's."""
    for part in ("lists/partial", "archives/partial"):
        (work / part).mkdir(parents=True)
    (work / "status").touch()
    options = {
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache::archives": work / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Log": work,
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        "APT::Keep-Downloaded-Packages": "1",
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", "--quiet=2", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]
    run(*apt, "update", check=False)  # one source that is away does not matter if the packages are found
    run(*apt, "install", "--yes", "--download-only", "--no-install-recommends", *PACKAGES)
    return sorted((work / "archives").glob("*.deb"))


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


def run(*command: str, check: bool = True) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    if check and done.returncode:
        sys.exit(f"error: {command[0]} failed: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}")


if __name__ == "__main__":
    set_up(Path(sys.argv[1] if len(sys.argv) > 1 else "build/arm-emulator").absolute())
