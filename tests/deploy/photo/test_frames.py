"""Raw frames from stdin, in each format."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.support.deploy.photos import scene
from tests.support.deploy.runner_process import refused, start

FORMATS = ("rgb24", "bgr24", "yuyv", "gray8")


def yuyv_to_rgb(content: np.ndarray) -> np.ndarray:
    """The definition, in docs/photos.md: ITU-R BT.601 with black at 16 and white at 235, uint8 [H, W, 2]."""
    y = content[..., 0].astype(int) - 16
    u, v = (np.repeat(content[:, first::2, 1].astype(int) - 128, 2, axis=1) for first in (0, 1))
    rgb = (298 * y + 409 * v + 128, 298 * y - 100 * u - 208 * v + 128, 298 * y + 516 * u + 128)
    return np.clip(np.stack(rgb, axis=-1) >> 8, 0, 255).astype(np.uint8)


def test_every_pair_of_colors(parts):
    content = np.random.default_rng(0).integers(0, 256, (64, 128, 2), np.uint8)
    np.testing.assert_array_equal(parts.frame(content.tobytes(), 128, 64, 2), yuyv_to_rgb(content))
    rgb = scene(6, 7)
    np.testing.assert_array_equal(parts.frame(rgb.tobytes(), 7, 6, 0), rgb)
    np.testing.assert_array_equal(parts.frame(rgb.tobytes(), 7, 6, 1), rgb[..., ::-1])
    gray = scene(6, 7, channels=1)
    np.testing.assert_array_equal(parts.frame(gray.tobytes(), 7, 6, 3), gray)


def test_yuyv_has_the_colors_of_the_standard():
    """White, black and the primary colors as ITU-R BT.601 states them in 8 bits."""
    pairs = {
        (235, 128, 128): (255,) * 3,
        (16, 128, 128): (0,) * 3,
        (81, 90, 240): (255, 0, 0),
        (41, 240, 110): (0, 0, 255),
    }
    for (y, u, v), color in pairs.items():
        rgb = yuyv_to_rgb(np.array([[[y, u], [y, v]]], np.uint8))
        assert np.abs(rgb.astype(int) - color).max() <= 2


def classified(net, folder, content: bytes, *words: object):
    """What b2nn-run says of the frames in ``content``."""
    (folder / "frames").write_bytes(content)
    with (folder / "frames").open("rb") as file:
        return start(net, "--frames", *words, stdin=file)


def colors(done) -> list[str]:
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [row["classes"][0]["label"] for row in rows if row["row"] == "image"]


@pytest.mark.parametrize(
    ("name", "red", "blue"),
    [
        ("rgb24", b"\xff\0\0" * 32, b"\0\0\xff" * 32),
        ("bgr24", b"\0\0\xff" * 32, b"\xff\0\0" * 32),
        ("yuyv", bytes([81, 90, 81, 240] * 16), bytes([41, 240, 41, 110] * 16)),
    ],
    ids=["rgb24", "bgr24", "yuyv"],
)
def test_each_frame_is_classified_as_it_comes(photo_net, tmp_path, name, red, blue):
    done = classified(photo_net, tmp_path, red + blue + red, f"8x4:{name}", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert colors(done) == ["red", "blue", "red"]
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["row"], last["images"], last["refused"]) == ("end", 3, 0)
    assert last["frames_per_second"] == pytest.approx(3 / last["seconds"], rel=1e-2)
    assert colors(classified(photo_net, tmp_path, red * 9, f"8x4:{name}", "--json", "--limit", 2)) == ["red"] * 2


def test_in_text_there_is_a_line_for_each(photo_net, tmp_path):
    done = classified(photo_net, tmp_path, bytes(100) + b"\xff" * 100, "10x10:gray8", "--top", 1)
    first, second, last = done.stdout.splitlines()
    assert first.startswith("frame 0: ") and second.startswith("frame 1: ")
    assert last.startswith("2 images in ") and "frames per second; the network alone: " in last


def test_a_frame_that_is_not_whole_is_named(photo_net, tmp_path):
    done = classified(photo_net, tmp_path, bytes(96 + 50), "8x4")
    message = "error: frame 1: 50 bytes, where a frame of 8x4 has 96: the size or the format is another one\n"
    assert (done.returncode, done.stderr) == (1, message)
    assert done.stdout.startswith("frame 0: ")
    assert classified(photo_net, tmp_path, b"", "8x4").stdout == ""


@pytest.mark.parametrize("word", ["8", "8x", "0x4", "8x4:", "8x4:yuv", "8x4 ", "-8x4", "8x4:rgb24x", "123456x1"])
def test_wrong_sizes_and_formats_are_refused(photo_net, word):
    message = f"error: --frames takes a size and maybe a format, like 640x480:yuyv ({', '.join(FORMATS)}), not '{word}'"
    assert refused(photo_net, "--frames", word, status=2) == message
    assert "even width" in refused(photo_net, "--frames", "7x4:yuyv", status=2)
