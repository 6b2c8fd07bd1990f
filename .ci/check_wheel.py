"""Every name in the wheel starts with b2nn_tvm, and what the package needs at run time is in it. Wheels and sdists are
the same, byte for byte, wherever and however their commit is checked out.

    python .ci/check_wheel.py FOLDER        (with what .ci/build_dist.py wrote)
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from build_dist import build_both, build_wheel_alone

ROOT = Path(__file__).parent.parent
PROJECTS = (".", "runtime")
NEEDED = (
    "py.typed",
    "loop/results/report.html",
    "targets/arm.toml",
    "deploy/runtime/b2nn.h",
    "deploy/runner/main.c",
    "deploy/photo/photo.h",
    "deploy/photo/image_files/stb.c",
    "deploy/third_party/stb/stb_image.h",
    "deploy/third_party/stb/LICENSE",
    "examples/board/classify.c",
    "examples/board/classify.py",
    "cli/compile.py",
    "loop/search.py",
    "schedules/__init__.py",
)


def check_names(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    strangers = [name for name in names if not name.startswith(("b2nn_tvm/", "b2nn_tvm-"))]
    missing = [name for name in NEEDED if f"b2nn_tvm/{name}" not in names]
    if strangers or missing:
        sys.exit(f"error: {wheel}: names outside the package: {strangers}; missing: {missing}")
    print(f"{wheel}: {len(names)} files, all below b2nn_tvm")


def check_bytes(folder: Path) -> None:
    """Build again from a clone in another folder, with other times and permissions of files, and compare."""
    os.umask(0o077)
    os.environ |= {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(work / "clone")], check=True)
        for path in (work / "clone").rglob("*"):
            if path.is_file() and ".git" not in path.parts:
                os.utime(path, (0, 10**9))
        for project in PROJECTS:
            again = build_both(work / "clone" / project, work / project / "both")
            direct = build_wheel_alone(work / "clone" / project, work / project / "direct")
            for other in (*again, direct):
                if (folder / other.name).read_bytes() != other.read_bytes():
                    sys.exit(
                        f"error: {folder / other.name}: another build of the last commit has other bytes; "
                        "has something changed since that is not committed?"
                    )
            print(f"{folder / again[0].name}, {again[1].name}: the same bytes again, and in a wheel without the sdist")


if __name__ == "__main__":
    (wheel,) = Path(sys.argv[1]).glob("b2nn_tvm-*.whl")
    check_names(wheel)
    check_bytes(Path(sys.argv[1]))
