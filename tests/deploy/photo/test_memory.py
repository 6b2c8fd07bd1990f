"""The reader of photos under the sanitizers of gcc: no access beyond, no leak, whatever a file holds."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from b2nn_tvm.deploy.library.library_files import RUNNER
from b2nn_tvm.deploy.library.write_sources import write_runner_sources
from tests.support.deploy import photo_network
from tests.support.deploy.photos import picture

pytestmark = pytest.mark.sweep  # compiling the decoder with sanitizers takes a quarter of a minute

DAMAGED = Path(photo_network.__file__).with_name("damaged_photos.c")
C = (
    "gcc",
    "-std=c11",
    "-D_GNU_SOURCE",
    "-O1",
    "-g",
    "-I.",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)


@pytest.fixture(scope="module")
def objects(tmp_path_factory) -> Path:
    """A folder with the program's objects, compiled with the sanitizers."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc; get it with: apt install gcc")
    folder = tmp_path_factory.mktemp("sanitized photos")
    sources = write_runner_sources(folder, compiler="gcc")
    done = subprocess.run([*C, "-c", *sources], cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def linked(objects: Path, output: str, *words: str) -> Path:
    parts = sorted(path.name for path in objects.glob("*.o") if path.name != "main.o")
    done = subprocess.run(
        [*C, *words, *parts, "-ldl", "-lm", "-o", output], cwd=objects, check=False, capture_output=True, text=True
    )
    if "cannot find" in done.stderr:
        pytest.skip(f"this gcc has no sanitizers: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return objects / output


def test_damaged_files_do_no_harm(objects, tmp_path):
    image = picture(24, 33)
    image.save(tmp_path / "a.png")
    image.convert("RGBA").quantize(8).save(tmp_path / "b.png", transparency=bytes([9, 200]))
    image.save(tmp_path / "c.jpg")
    image.save(tmp_path / "d.jpg", progressive=True, xmp=b'<x tiff:Orientation="6"/>')
    image.save(tmp_path / "e.jpg", exif=image.getexif(), subsampling=1)
    image.save(tmp_path / "f.ppm")
    (tmp_path / "g.pgm").write_bytes(b"P2 # gray\n3 2 300\n" + b"1 22 300\n" * 2)
    how = photo_network.preprocess((40, 50))
    (tmp_path / "h.json").write_text(json.dumps({"preprocess": how, "labels": ["a\n", "é\U0001f600"]}))
    program = linked(objects, "damaged", str(DAMAGED))
    done = subprocess.run([program, *sorted(tmp_path.iterdir())], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]
    assert 20 < int(done.stdout.split()[0]) < 7 * 400


def test_the_ways_through_the_program_are_clean(objects, photo_net, tmp_path):
    folder = tmp_path / "net"
    shutil.copytree(photo_net, folder)
    shutil.copy(linked(objects, RUNNER, "main.o"), folder / RUNNER)
    (tmp_path / "photos").mkdir()
    picture(24, 33).save(tmp_path / "photos" / "a.png")
    picture(90, 70).save(tmp_path / "photos" / "b.jpg")
    (tmp_path / "photos" / "c.ppm").write_bytes(b"P6 9")
    photo, frames = tmp_path / "photos" / "a.png", tmp_path / "frames"
    (tmp_path / "labels").write_text("x\ny\nz")
    frames.write_bytes(bytes(16 * 8 * 2 * 3))
    for words, status in (
        ((photo,), 0),
        ((photo, "--json", "--top", 9), 0),
        ((photo, "--labels", tmp_path / "labels"), 0),
        ((photo, "--output", tmp_path / "s.npy", "--output", tmp_path / "c.npy"), 0),
        ((photo, "--profile", "--runs", 2), 0),
        ((tmp_path / "photos",), 1),
        (("--frames", "16x8:yuyv"), 0),
        (("--frames", "16x9:bgr24", "--json"), 1),
        (("--camera", "/dev/null"), 1),
    ):
        with frames.open("rb") as stdin:
            done = subprocess.run(
                [folder / RUNNER, *map(str, words)], check=False, capture_output=True, text=True, stdin=stdin
            )
        assert (done.returncode, "ERROR: " in done.stderr, "runtime error" in done.stderr) == (status, False, False), (
            done.stderr[-3000:]
        )
