"""Fill a folder with OpenSSH's server, what lets it run as an ordinary user, and shells of boards. Needs no root.

    python -m tests.support.boards.setup_ssh_server [FOLDER]        (default build/ssh-server)

The packages come from the sources that apt is configured with, about 3 MB where OpenSSH's client is installed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.boards.apt_packages import download, unpack

STAMP = "complete-2"  # a new number rebuilds old folders
PACKAGES = ("openssh-server", "libnss-wrapper", "busybox-static", "tcsh")


def set_up(folder: Path) -> None:
    """Fill ``folder`` unless it is complete."""
    if not (folder / STAMP).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".work.") as name:
            work = Path(name)
            for package in download(PACKAGES, work, whole=False):
                unpack(package, work / "root")
            if Path("/usr/sbin/sshd").is_file():  # what is installed is not fetched
                (work / "root" / "usr" / "sbin").mkdir(parents=True, exist_ok=True)
                shutil.copy2("/usr/sbin/sshd", work / "root" / "usr" / "sbin")
            shutil.rmtree(folder / "root", ignore_errors=True)
            (work / "root").rename(folder / "root")
        (folder / STAMP).touch()
    print(f"{folder}: complete")


if __name__ == "__main__":
    set_up(Path(sys.argv[1] if len(sys.argv) > 1 else "build/ssh-server").absolute())
