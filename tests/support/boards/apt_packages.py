"""Packages of the machine's own apt sources, fetched into a folder without root and without touching the system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def download(packages: tuple[str, ...], work: Path, *, arch: str = "", whole: bool = True) -> list[Path]:
    """Fetch ``packages`` and what they depend on below ``work``, an empty folder.

    ``whole`` fetches all dependencies, else only those that this machine lacks; ``arch`` is Debian's name of another
    architecture. Ends the program with one line where it cannot be done.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            sys.exit(f"error: no {tool} on this machine; get {', '.join(packages)} by other means")
    for part in ("lists/partial", "archives/partial"):
        (work / part).mkdir(parents=True)
    (work / "status").touch()
    options = {
        "Dir::State::lists": work / "lists",
        "Dir::Cache::archives": work / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Log": work,
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        "APT::Keep-Downloaded-Packages": "1",
        "Acquire::Languages": "none",
    }
    if whole:
        options["Dir::State::status"] = work / "status"
    if arch:
        options |= {"APT::Architecture": arch, "APT::Architectures": arch}
    apt = ["apt-get", "--quiet=2", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]
    run(*apt, "update", check=False)  # one source that is away does not matter if the packages are found
    run(*apt, "install", "--yes", "--download-only", "--no-install-recommends", *packages)
    return sorted((work / "archives").glob("*.deb"))


def unpack(package: Path, into: Path) -> None:
    """Unpack the files of one package."""
    run("dpkg-deb", "-x", str(package), str(into))


def run(*command: str, check: bool = True) -> None:
    """Run a command quietly; end the program with its last complaint where it fails."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    if check and done.returncode:
        sys.exit(f"error: {command[0]} failed: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}")
