"""The wheel of b2nn-runtime, alone with numpy: here, and on the emulated board."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import b2nn_runtime
import numpy as np
import pytest

from b2nn_tvm.deploy.library.library_files import ABI_VERSION
from b2nn_tvm.version import __version__
from tests.support.deploy import photo_network
from tests.support.deploy.handmade import Workshop
from tests.support.deploy.photos import scene
from tests.support.paths import ROOT

RUNTIME = ROOT / "runtime"
ARM_PYTHON = ROOT / "build" / "arm-board" / "python"
PREDICT = "import b2nn_runtime, sys; print(b2nn_runtime.load(sys.argv[1]).predict(sys.argv[2]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built without the network."""
    pytest.importorskip("setuptools", reason="builds the wheel; pip install setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(RUNTIME, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "."]
    subprocess.run([*command, "./source"], cwd=folder, check=True)
    (found,) = folder.glob("*.whl")
    return found


def photo(folder: Path) -> Path:
    pixels = scene(50, 60)
    (folder / "photo.ppm").write_bytes(b"P6 60 50 255\n" + pixels.tobytes())
    return folder / "photo.ppm"


def test_it_is_of_the_same_version():
    project = tomllib.loads((RUNTIME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
    assert b2nn_runtime.library.ABI_VERSION == ABI_VERSION
    assert [name.partition(">")[0] for name in project["dependencies"]] == ["numpy"]
    assert set(b2nn_runtime.__all__) == {"Network", "RuntimeFault", "load"}


@pytest.mark.sweep
def test_in_an_empty_environment_with_numpy_alone(wheel, photo_net, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    site = tmp_path / "venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    for package in Path(np.__file__).parents[1].glob("numpy*"):
        (site / package.name).symlink_to(package)
    command = [tmp_path / "venv" / "bin" / "python", "-W", "error", "-c", PREDICT, photo_net, photo(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env={}, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(b2nn_runtime.load(photo_net).predict(photo(tmp_path)))
    names = zipfile.ZipFile(wheel).namelist()
    assert "b2nn_runtime/py.typed" in names and not any(name.startswith("b2nn_tvm") for name in names)
    assert sysconfig.get_python_version() in str(site)


@pytest.mark.sweep
@pytest.mark.emulated
def test_on_the_emulated_board(wheel, photo_net, tmp_path, monkeypatch):
    if not ARM_PYTHON.is_file():
        pytest.skip("needs Python for AArch64; get it with: make arm-board")
    how = photo_network.preprocess((40, 45))
    net = photo_network.build(Workshop(tmp_path), "arm", how, target="arm")
    here = photo_network.build(Workshop(tmp_path), "here", how)
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    command = [ARM_PYTHON, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {PREDICT}"]
    done = subprocess.run([*command, net, photo(tmp_path)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(b2nn_runtime.load(here).predict(photo(tmp_path)))
