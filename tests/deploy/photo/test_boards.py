"""Emulated boards see what Python sees: the same values of PNG and JPEG files, and so the same classes."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.deploy.devices.qemu import find_emulator
from b2nn_tvm.deploy.library.library_files import RUNNER
from tests.support.deploy import photo_network
from tests.support.deploy.photos import picture
from tests.support.deploy.runner_process import output_words

pytestmark = [pytest.mark.sweep, pytest.mark.emulated]

EMULATED = "note: this CPU is emulated: the times are no latencies of a board\n"
SIZES = [(40, 50), (123, 217), (61, 30), (333, 250)]


def seen(path, how) -> np.ndarray:
    """The input in Python: rows first, the shorter side 48 pixels, the middle."""
    image = Image.open(path).convert("RGB")
    width, height = image.size
    wide, high = (48, 48 * height // width) if width <= height else (48 * width // height, 48)
    resized = image.resize((wide, height), Image.Resampling.BILINEAR).resize((wide, high), Image.Resampling.BILINEAR)
    top, left = round((high - 40) / 2), round((wide - 45) / 2)
    return photo_network.expected(np.asarray(resized)[top : top + 40, left : left + 45], how)


@pytest.mark.parametrize(
    ("target", "cpu", "static"),
    [
        ("arm", "cortex-a53", False),
        ("armv7", "cortex-a7", False),
        ("arm", "cortex-a72", True),
        ("armv7", "cortex-a7", True),
    ],
)
def test_values_and_classes_are_pythons(workshop, arm_board, tmp_path, target, cpu, static):
    shorter = {"mode": "shorter", "height": 48, "width": 48}
    how = photo_network.preprocess((48, 48), resize=shorter, crop={"height": 40, "width": 45})
    net = photo_network.build(workshop, f"photos-{target}-{static}", how, target=target, static=static)
    emulator = find_emulator("armv7l" if target == "armv7" else "aarch64")

    def start(*words: object) -> subprocess.CompletedProcess:
        return emulator.run(cpu, [str(net / RUNNER), *map(str, words)])

    photos = tmp_path / "photos"
    photos.mkdir()
    for seed, size in enumerate(SIZES):
        picture(*size, seed=seed).save(photos / f"{seed}.jpg", progressive=seed % 2 == 1)
        picture(*size, seed=seed).save(tmp_path / f"{seed}.png")
        out = [tmp_path / "scores.npy", tmp_path / "copy.npy"]
        for path in (tmp_path / f"{seed}.png", photos / f"{seed}.jpg"):
            done = start(path, *output_words(out))
            assert (done.returncode, done.stderr) == (0, "")
            np.testing.assert_array_equal(np.load(out[1]), seen(path, how))
    done = start(photos, "--top", 1)
    assert (done.returncode, done.stderr) == (0, EMULATED)
    found = [line.split(": ")[1].split()[0] for line in done.stdout.splitlines()[:-1]]
    means = [seen(path, how)[0].mean(axis=(1, 2)) for path in sorted(photos.iterdir())]
    assert found == [photo_network.COLORS[int(mean.argmax())] for mean in means]
