"""Fill a folder with the system of an emulated 64-bit board: Python, numpy and TVM's runtime for AArch64. Needs no
root.

    python -m tests.support.boards.setup_board [FOLDER]        (default build/arm-board)

Takes Debian packages from the sources that apt is configured with and wheels from the index that pip is configured
with, about 150 MB. FOLDER/python then is an interpreter that runs under the emulator of build/arm-emulator, as the CPU
that $B2NN_BOARD_CPU names. A folder that is complete is left as it is.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.boards.apt_packages import download, run, unpack
from tests.support.paths import ROOT

STAMP = "complete-2"  # a new number rebuilds old folders
EMULATOR = ROOT / "build" / "arm-emulator"
PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
WHEELS = ("apache-tvm", "apache-tvm-ffi", "click", "cloudpickle", "jsonschema", "numpy", "psutil", "pyelftools")
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_24", "manylinux_2_17", "manylinux2014")
PYTHON = """#!/bin/sh
# TVM and multiprocessing start more processes of the interpreter by its name: that is this script.
export LD_LIBRARY_PATH={emulator}/lib
exec {emulator}/bin/qemu-aarch64 -cpu "${{B2NN_BOARD_CPU:-cortex-a72}}" -L {root} -U LD_LIBRARY_PATH -0 "$0" \\
  {root}/usr/bin/{python} "$@"
"""


def set_up(folder: Path) -> None:
    """Fill ``folder`` unless it is complete."""
    if not (folder / STAMP).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".work.") as name:
            work = Path(name)
            for package in download(PACKAGES, work, arch="arm64"):
                unpack(package, work / "root")
            if not (work / "root" / "lib").exists():  # where a package makes this link, it does so when it is installed
                (work / "root" / "lib").symlink_to("usr/lib")
            python = next((work / "root" / "usr" / "bin").glob("python3.*")).name
            install_wheels(work / "root" / "usr" / "lib" / "python3" / "dist-packages", python.removeprefix("python"))
            shutil.rmtree(folder / "root", ignore_errors=True)
            (work / "root").rename(folder / "root")
        (folder / "python").write_text(PYTHON.format(emulator=EMULATOR, root=folder / "root", python=python))
        (folder / "python").chmod(0o755)
        (folder / STAMP).touch()
    print(f"{folder}: complete")


def install_wheels(into: Path, version: str) -> None:
    """Unpack the wheels for AArch64, of the pinned versions, without the compiler that a board does not need."""
    platforms = [word for name in PLATFORMS for word in ("--platform", f"{name}_aarch64")]
    options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", version, "--target", str(into)]
    pins = ["--constraint", str(ROOT / "constraints.txt")]
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", *options, *platforms, *pins, *WHEELS)
    for compiler in into.glob("tvm/lib/libtvm_compiler*.so"):
        compiler.unlink()


if __name__ == "__main__":
    set_up(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "arm-board").absolute())
