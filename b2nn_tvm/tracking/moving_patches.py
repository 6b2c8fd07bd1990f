"""Procedural videos in GOT-10k's layout: a textured patch moves and changes its size in front of textured noise.

Other patches of the same kind of texture move as well; one of them is drawn in front of the target. The random numbers
of a sequence depend on (seed, split, number) alone, so that the splits share no texture and no path.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from b2nn_tvm.errors import InputError
from b2nn_tvm.tracking.got10k import ALL_VISIBLE, SPLITS

QUALITY = 92  # the quality of the JPEG files


def write_moving_patches(
    root: str | os.PathLike[str],
    *,
    train: int = 24,
    val: int = 6,
    test: int = 2,
    frames: int = 20,
    size: tuple[int, int] = (160, 120),
    distractors: int = 2,
    seed: int = 0,
) -> Path:
    """Write ``train``, ``val`` and ``test`` sequences of ``frames`` images of ``size`` (width, height) to ``root``.

    The new folder ``root`` appears when it is complete. Raises InputError where it is there already or a number is too
    small.
    """
    root = Path(root)
    if root.exists():
        raise InputError(f"{root}: is there already; remove it, or read it with got10k")
    if min(train, val, test, frames) < 1 or min(size) < 48 or distractors < 0:
        raise InputError("moving patches need a sequence in each split, a frame, and images of at least 48x48 pixels")
    root.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=root.parent, prefix=f".{root.name}-"))
    try:
        for index, (split, count) in enumerate(zip(SPLITS, (train, val, test))):
            names = [f"GOT-10k_{split.capitalize()}_{number:06d}" for number in range(1, count + 1)]
            for number, name in enumerate(names):
                source = np.random.default_rng([seed, index, number])
                _write_sequence(building / split / name, source, frames, size, distractors, public=split != "test")
            (building / split / "list.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
        building.chmod(0o755)
        building.rename(root)
    except BaseException:
        shutil.rmtree(building)
        raise
    return root


@dataclass
class _Patch:
    """A texture, and the position of its middle and its scale in each frame."""

    texture: Image.Image
    centers: np.ndarray
    scales: np.ndarray

    def box(self, frame: int) -> tuple[int, int, int, int]:
        """The patch's box (x, y, width, height) in a frame, in whole pixels."""
        width, height = (max(1, round(side * self.scales[frame])) for side in self.texture.size)
        x, y = self.centers[frame] - (width / 2, height / 2)
        return round(x), round(y), width, height


def _write_sequence(
    folder: Path, source: np.random.Generator, frames: int, size: tuple[int, int], distractors: int, *, public: bool
) -> None:
    folder.mkdir(parents=True)
    background = _texture(source, size, grain=12)
    target = _patch(source, frames, size)
    others = [_patch(source, frames, size) for _ in range(distractors)]
    layers = [*others[1:], target, *others[:1]]
    gains = 1 + 0.15 * np.sin(np.linspace(0, source.uniform(1, 4), frames) + source.uniform(0, math.tau))
    boxes, visible = [], []
    for frame in range(frames):
        image, mask = background.copy(), np.zeros(size[::-1], bool)
        for layer in layers:
            x, y, width, height = layer.box(frame)
            image.paste(layer.texture.resize((width, height), Image.Resampling.BILINEAR), (x, y))
            mask[max(y, 0) : y + height, max(x, 0) : x + width] = layer is target
        Image.fromarray(np.clip(np.asarray(image) * gains[frame], 0, 255).astype(np.uint8)).save(
            folder / f"{frame + 1:08d}.jpg", quality=QUALITY
        )
        boxes.append(target.box(frame))
        visible.append(math.ceil(ALL_VISIBLE * mask.sum() / (boxes[-1][2] * boxes[-1][3])))
    known = boxes[: None if public else 1]
    _write_lines(folder / "groundtruth.txt", (",".join(f"{value:.4f}" for value in box) for box in known))
    meta = ("[METAINFO]", "object_class: patch", "motion_class: drifting", f"resolution: {size}")
    _write_lines(folder / "meta_info.ini", meta)
    if public:
        _write_lines(folder / "cover.label", visible)
        _write_lines(folder / "absence.label", (int(level == 0) for level in visible))


def _write_lines(path: Path, rows: Iterable[str | int]) -> None:
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def _patch(source: np.random.Generator, frames: int, size: tuple[int, int]) -> _Patch:
    """A patch whose sides are a fifth to a third of the image's shorter side, and which stays inside of the image."""
    short = min(size)
    width, height = (round(short * source.uniform(0.2, 0.33)) for _ in range(2))
    phases = np.linspace(0, source.uniform(1, 5), frames) + source.uniform(0, math.tau)
    scales = np.exp(0.12 * (np.sin(phases) - np.sin(phases[0])))
    texture = _texture(source, (width, height), grain=5)
    low = np.array((width, height)) * scales.max() / 2 + 1
    high = np.array(size) - low
    at, velocity = source.uniform(low, high), source.normal(0, short / 40, 2)
    centers = []
    for _ in range(frames):
        centers.append(at)
        velocity = 0.9 * velocity + source.normal(0, short / 80, 2)
        velocity = np.where((at + velocity < low) | (at + velocity > high), -velocity, velocity)
        at = np.clip(at + velocity, low, high)
    return _Patch(texture, np.array(centers), scales)


def _texture(source: np.random.Generator, size: tuple[int, int], *, grain: int) -> Image.Image:
    """Smooth colored noise with spots about ``grain`` pixels wide, and finer noise on top."""
    total = np.zeros((size[1], size[0], 3), np.float32)
    for spot, weight in ((grain, 1.0), (grain / 2.5, 0.5)):
        cells = (max(2, math.ceil(size[1] / spot)), max(2, math.ceil(size[0] / spot)), 3)
        noise = Image.fromarray(source.integers(0, 256, cells, dtype=np.uint8))
        total += weight * np.asarray(noise.resize(size, Image.Resampling.BICUBIC), np.float32)
    return Image.fromarray((total / 1.5).astype(np.uint8))
