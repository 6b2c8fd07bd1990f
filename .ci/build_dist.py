"""The sdist of a project and the wheel that is built from it, byte for byte the same from the same files.

    python .ci/build_dist.py PROJECT FOLDER

PROJECT is the folder of a pyproject.toml in a checkout; what git ignores is left out. The times in both files are that
of the last commit, or $SOURCE_DATE_EPOCH. Neither the order of files on disk, nor their times and owners, nor the umask
counts. The bytes still depend on the versions of setuptools, which constraints.txt pins, and zlib.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

BUILD = "import sys, setuptools.build_meta as backend; getattr(backend, sys.argv[1])(sys.argv[2])"


def build_both(project: Path, into: Path) -> tuple[Path, Path]:
    """Write the sdist and the wheel into a folder; returns both paths."""
    epoch = commit_time(project)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        copy_files(project, work / "project")
        made = run_backend("build_sdist", work / "project", work / "made", epoch)
        sdist = repack(made, into / made.name, epoch)
        with tarfile.open(sdist) as archive:
            archive.extractall(work, filter="data")
        wheel = run_backend("build_wheel", work / sdist.name.removesuffix(".tar.gz"), work / "wheel", epoch)
        return sdist, Path(shutil.copyfile(wheel, into / wheel.name))


def build_wheel_alone(project: Path, into: Path) -> Path:
    """Write the wheel that is built from the checkout itself."""
    with tempfile.TemporaryDirectory() as folder:
        copy_files(project, Path(folder) / "project")
        return run_backend("build_wheel", Path(folder) / "project", into, commit_time(project))


def commit_time(project: Path) -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=project, text=True))


def copy_files(project: Path, into: Path) -> None:
    """Copy what git does not ignore, with the permissions that git knows: executable or not."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=project, text=True
    )
    for name in sorted(set(listed.split("\0")) - {""}):
        if (source := project / name).is_file():  # a file that was removed but not committed is still listed
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, into / name)
            (into / name).chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def run_backend(hook: str, project: Path, into: Path, epoch: int) -> Path:
    """Call a hook of the build backend (PEP 517) in a process of its own; returns what it made."""
    into.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    command = [sys.executable, "-c", BUILD, hook, str(into.absolute())]
    done = subprocess.run(
        command, cwd=project, env=environment, umask=0o022, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"error: {hook} of {project} failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
    (made,) = into.iterdir()
    return made


def repack(made: Path, into: Path, epoch: int) -> Path:
    """Write the same archive with its members sorted, and with one time, owner and form of permissions."""
    with (
        tarfile.open(made) as source,
        into.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            target.addfile(member, source.extractfile(member) if member.isfile() else None)
    return into


if __name__ == "__main__":
    for path in build_both(Path(sys.argv[1]), Path(sys.argv[2])):
        print(path)
