"""The folder for a board: its files, the commands of its README.txt as they stand there, and its examples on each
machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.deploy.devices.qemu import find_emulator
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.bundle import EXAMPLES, ExamplePicture, requirements, write_bundle
from b2nn_tvm.deploy.library.library_files import HEADER, LIBRARY, RUNNER
from b2nn_tvm.deploy.library.manifest import read_manifest
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.in_words import in_words
from b2nn_tvm.preprocess.preprocess import Preprocess, Resize
from b2nn_tvm.targets import target as targets
from tests.support.deploy.handmade import N, expected, program

CPUS = {"arm": ("cortex-a53", "cortex-a72", "cortex-a76"), "armv7": ("cortex-a7", "cortex-a15")}
ARM_PYTHON = Path(__file__).parents[3] / "build" / "arm-board" / "python"


@pytest.fixture
def image(tmp_path, x) -> Path:
    x.tofile(tmp_path / "image.f32")
    return tmp_path / "image.f32"


def answer(x: np.ndarray) -> str:
    scores = (expected(x) + 1)[0]
    return f"class {scores.argmax()}: {scores.max():.6f}\n"


def emulated(folder: Path, target: str, cpu: str, *words: object) -> subprocess.CompletedProcess:
    """Run a program of the bundle on an emulated board."""
    emulator = find_emulator("armv7l" if target == "armv7" else "aarch64")
    return emulator.run(cpu, [str(folder / str(words[0])), *map(str, words[1:])])


def test_all_files_are_listed_with_their_sizes(bundle_for):
    folder = bundle_for("native")
    files = write_bundle(folder)  # again: it replaces its own files
    assert {file.name for file in files} == {path.name for path in folder.iterdir()}
    assert not {"labels.txt", "example.png", "b2nn-camera.service"} & {file.name for file in files}  # none is known
    assert [file.name for file in files][:3] == [LIBRARY, RUNNER, HEADER]
    for file in files:
        assert file.size_bytes == (folder / file.name).stat().st_size > 0
        assert file.what
        assert f"    {file.name}" in (folder / "README.txt").read_text()
    for example in ("classify.c", "classify.cpp", "CMakeLists.txt", "classify.py"):
        assert (folder / example).read_bytes() == (EXAMPLES / example).read_bytes()


def test_a_folder_without_a_library_gets_nothing(tmp_path):
    with pytest.raises(InputError, match="expected the folder of a compiled library"):
        write_bundle(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_the_data_mean_is_in_the_bundle(bundle_for, tmp_path):
    """Every file that README.txt speaks of is there, and it says what is done to a picture."""
    manifest = read_manifest(bundle_for("native"))
    photo = Preprocess(Resize("shorter", 256, 256), (224, 224), "rgb", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    replace(manifest, preprocess=photo, labels=("cat", "hot dog")).save(tmp_path)
    for name in (LIBRARY, RUNNER, HEADER):
        (tmp_path / name).write_bytes(b"here")
    files = {file.name: file for file in write_bundle(tmp_path, picture=ExamplePicture(b"PNG", "hot dog"))}
    assert (tmp_path / "labels.txt").read_text() == "cat\nhot dog\n"
    assert (tmp_path / "example.png").read_bytes() == b"PNG" and files["example.png"].size_bytes == 3
    text = (tmp_path / "README.txt").read_text()
    assert "    ./b2nn-run example.png\n" in text and "that was not trained on: hot dog." in text
    assert f"    {in_words(photo)}\n" in text and "--labels labels.txt" in text
    assert (tmp_path / "b2nn-camera.service").read_bytes() == (EXAMPLES / "b2nn-camera.service").read_bytes()
    named = text.partition("If it does not start")[0]
    for name in re.findall(r"[\w-]+\.(?:png|txt|py|c|cpp|h|so|json|service)\b", named):
        assert (tmp_path / name).is_file() or name == "manifest.json", name


def test_without_a_preprocess_the_readme_promises_no_pictures_and_no_labels(bundle_for):
    text = (bundle_for("native") / "README.txt").read_text()
    assert "does not know how a picture becomes its input, so it takes none" in text and "labels.txt" not in text
    assert not [word for word in ("photo", "camera", "example.png") if word in text]


def test_requirements_name_what_the_board_must_have(bundle_for):
    manifest = read_manifest(bundle_for("native"))
    needed = replace(manifest, target=replace(manifest.target, arch="aarch64", requires=("asimd", "asimddp")))
    needed = replace(needed, library=replace(manifest.library, glibc="2.17"))
    text = "a Linux system for aarch64, a CPU with asimd, asimddp, the GNU C library 2.17 or later"
    assert requirements(needed) == text
    assert text in (bundle_for("arm") / "README.txt").read_text().replace("asimd,", "asimd, asimddp,")
    assert " pi@raspberrypi:\n" in (bundle_for("arm") / "README.txt").read_text()
    if manifest.target.arch == "x86_64":  # this is no Raspberry Pi
        assert "raspberry" not in (bundle_for("native") / "README.txt").read_text()


def test_the_commands_of_the_readme_run(bundle_for, x, tmp_path):
    """Copied to another folder, with no Python package and no variable that points back here."""
    for tool in ("cc", "c++", "cmake"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}; get it with: apt install gcc g++ cmake")
    board = tmp_path / "board"
    shutil.copytree(bundle_for("native"), board)
    np.save(board / "image.npy", x)
    x.tofile(board / "image.f32")
    text = (board / "README.txt").read_text()
    commands = re.findall(r"^    ((?:\./|cc |cmake |python3 ).*)$", text, re.MULTILINE)
    assert len(commands) == 10
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command], cwd=board, env=environment, check=False, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, ""), command
        if "./build/" in command:
            assert done.stdout.split(":")[0] == answer(x).split(":")[0]  # five classes, fewer digits
        elif "classify" in command and not command.startswith("cc "):
            assert done.stdout == answer(x)
    best = int((expected(x) + 1).argmax())
    (board / "labels.txt").write_text("".join(f"label {i}\n" for i in range(N)))
    assert re.search(
        rf"1\. class {best} .*  label {best}$",
        subprocess.run(
            [board / RUNNER, "--input", board / "image.npy", "--labels", board / "labels.txt"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout,
        re.MULTILINE,
    )
    np.testing.assert_array_equal(np.load(board / "scores.npy"), expected(x) + 1)
    assert (board / "times.jsonl").read_text().count('"row": "end"') == 1


@pytest.mark.parametrize("program_words", [["classify"], ["python3", "classify.py"]])
def test_the_examples_say_what_is_wrong(bundle_for, tmp_path, program_words):
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler; get it with: apt install gcc")
    folder = bundle_for("native")
    words = ["cc", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "classify.c", "-o", str(tmp_path / "classify")]
    subprocess.run([*words, "-L.", f"-l:{LIBRARY}", f"-Wl,-rpath,{folder}"], cwd=folder, check=True)
    command = (
        [str(tmp_path / "classify")] if program_words == ["classify"] else [sys.executable, str(folder / "classify.py")]
    )
    (tmp_path / "short").write_bytes(b"short")

    def start(*more: str) -> subprocess.CompletedProcess:
        return subprocess.run([*command, *more], check=False, capture_output=True, text=True)

    assert "usage: " in start().stderr
    assert "short: expected 4000 bytes of float32" in start(str(tmp_path / "short")).stderr
    absent = start("nosuch")
    assert absent.returncode == 1
    assert absent.stderr == (
        "error: nosuch: cannot be read: No such file or directory; expected a file with the values of the input\n"
    )
    (tmp_path / "right").write_bytes(bytes(4000))
    assert "a bad argument" in start(str(tmp_path / "right"), "1000").stderr


@pytest.mark.emulated
@pytest.mark.parametrize(("target", "cpu"), [(target, cpu) for target in CPUS for cpu in CPUS[target]])
def test_the_c_example_and_the_runner_run_on_each_board(arm_board, bundle_for, image, x, target, cpu):
    folder = bundle_for(target)
    done = emulated(folder, target, cpu, "classify", image, 3)
    assert (done.returncode, done.stdout, done.stderr) == (0, answer(x), "")
    for threads in (1, 3):
        done = emulated(folder, target, cpu, RUNNER, "--input", image, "--threads", threads, "--top", 1)
        scores = (expected(x) + 1)[0]
        assert (done.returncode, done.stdout.split()[2:]) == (0, [str(scores.argmax()), f"{scores.max():.6f}"]), done


@pytest.mark.emulated
def test_the_python_example_runs_on_the_emulated_board(arm_board, bundle_for, image, x):
    if not ARM_PYTHON.is_file():
        pytest.skip("needs Python for AArch64; get it with: python -m tests.support.boards.setup_board")
    command = [ARM_PYTHON, bundle_for("arm") / "classify.py", image, "2"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, answer(x), "")


@pytest.mark.emulated
def test_a_bundle_for_another_board_says_so(arm_board, bundle_for, workshop):
    arm, armv7 = bundle_for("arm"), bundle_for("armv7")
    for folder, target, other, names in ((arm, "arm", armv7, "32-bit ARM"), (armv7, "armv7", arm, "64-bit ARM")):
        done = emulated(folder, target, CPUS[target][0], RUNNER, other)
        assert (done.returncode, f"the library is for {names}, but this" in done.stderr) == (1, True), done
    newer = workshop.folder / "bundle-rpi5"
    rpi5 = replace(workshop.target("arm"), name="rpi5", requires=targets.get("rpi5").requires)
    build_library(program(), [workshop.kernels(target="arm")], rpi5, newer)
    for older in ("cortex-a53", "cortex-a72"):
        done = emulated(newer, "arm", older, RUNNER)
        assert (done.returncode, "for target rpi5, and this CPU lacks atomics" in done.stderr) == (1, True), done
    assert emulated(newer, "arm", "cortex-a76", RUNNER).returncode == 0


@pytest.mark.emulated
def test_times_of_an_emulated_board_are_marked(arm_board, bundle_for):
    done = emulated(bundle_for("armv7"), "armv7", "cortex-a7", RUNNER, "--profile", "--runs", 1)
    assert done.stderr == "note: this CPU is emulated: the times are no latencies of a board\n"
    assert done.stdout.count('"emulated": true') == 2
    assert '"arch": "armv7l"' in done.stdout
