"""The names of the best classes, with scores, probabilities and times: as text and as JSON."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.library_files import RUNNER
from tests.support.deploy.handmade import program
from tests.support.deploy.photo_network import COLORS, MEAN, STD, change_manifest
from tests.support.deploy.photos import picture
from tests.support.deploy.runner_process import output_words, refused, start


@pytest.fixture
def photo(tmp_path):
    picture(30, 40, seed=3).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def scores_of(path) -> np.ndarray:
    pixels = np.asarray(Image.open(path).convert("RGB").resize((50, 40), Image.Resampling.BILINEAR)) / 255.0
    return 10 * ((pixels - MEAN) / STD).mean(axis=(0, 1))


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def test_one_photo_as_text(photo_net, photo):
    done = start(photo_net, photo)
    assert (done.returncode, done.stderr) == (0, "")
    name, *rows, last = done.stdout.splitlines()
    scores = scores_of(photo)
    order = np.argsort(-scores)
    found = [re.fullmatch(r" +(\d)\. class (\d) +(\S+) +(\S+) %  (\w+)", row).groups() for row in rows]
    assert name == str(photo)
    assert [(int(rank), int(index), label) for rank, index, _, _, label in found] == [
        (rank, index, COLORS[index]) for rank, index in enumerate(order, 1)
    ]
    assert [float(row[2]) for row in found] == pytest.approx(scores[order], abs=1e-4)
    assert [float(row[3]) for row in found] == pytest.approx(100 * softmax(scores)[order], abs=0.02)
    assert re.fullmatch(r"1 image in \S+ s: \S+ frames per second; the network alone: \S+ ms, \S+ per second", last)


def test_photos_as_json(photo_net, photo, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    done = start(photo_net, photo, tmp_path / "broken.jpg", photo, "--json", "--top", 2)
    first, good, broken, again, last = map(json.loads, done.stdout.splitlines())
    model_id = json.loads((photo_net / "manifest.json").read_text())["library"]["model_id"]
    assert first == {"row": "start", "kind": "b2nn-photos", "format_version": 1, "model_id": model_id, "threads": 1}
    order = np.argsort(-scores_of(photo))[:2]
    assert [(row["index"], row["label"]) for row in good["classes"]] == [(i, COLORS[i]) for i in order]
    assert [row["probability"] for row in good["classes"]] == pytest.approx(softmax(scores_of(photo))[order], abs=1e-4)
    assert good["name"] == str(photo) and min(good[f"{part}_ms"] for part in ("read", "fit", "network")) > 0
    assert broken == {
        "row": "image",
        "name": str(tmp_path / "broken.jpg"),
        "error": "this JPEG file ends early: copy it again",
    }
    assert again["classes"] == good["classes"]
    assert (last["row"], last["images"], last["refused"]) == ("end", 2, 1)
    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path / 'broken.jpg'}: this JPEG file ends early: copy it again\n"


def test_one_broken_photo_gets_no_answer(photo_net, tmp_path):
    path = tmp_path / "text.png"
    path.write_text("no image")
    assert (
        refused(photo_net, path)
        == f"error: {path}: expected a JPEG, PNG, PPM or PGM file, and this is none; convert it"
    )


def test_probabilities_stay_what_they_are(photo_net, tmp_path):
    """Scores that add up to one, and none of which is negative, are probabilities already."""
    how = json.loads((photo_net / "manifest.json").read_text())["preprocess"]
    pixel = np.array([204, 51, 0], np.uint8)
    Image.fromarray(np.broadcast_to(pixel, (9, 9, 3)).copy()).save(tmp_path / "a.png")
    try:
        change_manifest(photo_net, preprocess=how | {"mean": [0, 0, 0], "std": [10, 10, 10]})
        rows = json.loads(start(photo_net, tmp_path / "a.png", "--json").stdout.splitlines()[1])["classes"]
    finally:
        change_manifest(photo_net, preprocess=how)
    assert [row["probability"] for row in rows] == pytest.approx([0.8, 0.2, 0], abs=1e-4)


def test_the_profile_is_one_with_the_photo(photo_net, photo, tmp_path):
    out = [tmp_path / "scores.npy", tmp_path / "copy.npy"]
    done = start(photo_net, photo, "--profile", "--runs", 2, *output_words(out))
    assert (done.returncode, done.stderr, done.stdout.count('"row": "run"')) == (0, "", 2)
    assert np.load(out[0])[0] == pytest.approx(scores_of(photo), abs=1e-4)
    message = "error: --profile takes one photo, not 2"
    assert refused(photo_net, photo, photo, "--profile", status=2) == message


def test_other_networks_are_refused(workshop, photo, net):
    assert "photos are for networks with one input" not in refused(net, photo)  # it has one, of vectors
    base = program("shift_one")
    image = replace(base, outputs=(replace(base.outputs[0], shape=(1, 10, 10, 10)), base.outputs[1]))
    build_library(image, [workshop.kernels()], workshop.target(), workshop.folder / "image for photos")
    assert "photos need an output that is one row of float32 scores" in refused(
        workshop.folder / "image for photos", photo
    )


def test_ctrl_c_ends_a_stream_with_its_last_line(photo_net):
    process = subprocess.Popen(
        [photo_net / RUNNER, "--frames", "8x4", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False
    )
    process.stdin.write(bytes(96 * 2))
    process.stdin.flush()
    rows = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(signal.SIGINT)
    last = json.loads(process.stdout.readline())
    process.stdin.close()
    process.stdout.close()
    assert [row["row"] for row in rows] == ["start", "image", "image"]
    assert (process.wait(), last["images"], last["refused"]) == (0, 2, 0)
