"""A trained network names the same classes of JPEG files in Python, by b2nn-run here and on emulated boards, and by the
wheel for boards.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import b2nn_runtime
import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.devices.qemu import FOLDER_VARIABLE, find_emulator
from b2nn_tvm.deploy.library.library_files import RUNNER
from b2nn_tvm.errors import DeviceError
from tests.support.deploy.photo_network import change_manifest, preprocess
from tests.support.networks.onnx_models import model, save
from tests.support.paths import ROOT

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

SIZE, IMAGES = 24, 120
LABELS = [f"the digit {digit}" for digit in range(10)]
HOW = preprocess(
    (28, 28),
    resize={"mode": "shorter", "height": 28, "width": 28},
    crop={"height": SIZE, "width": SIZE},
    channels="gray",
    mean=[0.3],
    std=[0.35],
)
FILTERS = (8, 1, 5, 5)


def enlarged(digit: np.ndarray, width: int) -> Image.Image:
    """A digit as a photo of no particular size."""
    return Image.fromarray((digit * 255 / 16).astype(np.uint8)).resize((width, 100), Image.Resampling.BICUBIC)


def seen(image: Image.Image) -> np.ndarray:
    """The input of the network in Python, float32 [1, 1, 24, 24]."""
    gray = image.convert("L")
    width, height = gray.size
    wide, high = (28, 28 * height // width) if width <= height else (28 * width // height, 28)
    small = gray.resize((wide, height), Image.Resampling.BILINEAR).resize((wide, high), Image.Resampling.BILINEAR)
    top, left = round((high - SIZE) / 2), round((wide - SIZE) / 2)
    pixels = np.asarray(small)[top : top + SIZE, left : left + SIZE]
    return ((pixels / np.float32(255) - np.float32(0.3)) / np.float32(0.35))[None, None].astype(np.float32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, Path]:
    """An ONNX file of a convolution of random filters and a layer that was fitted behind it; and photos of digits that
    it has not seen.
    """
    datasets = pytest.importorskip("sklearn.datasets", reason="has the digits; pip install scikit-learn")
    onnxruntime = pytest.importorskip("onnxruntime", reason="has the features; pip install onnxruntime")
    folder = tmp_path_factory.mktemp("trained")
    digits = datasets.load_digits()
    filters = np.random.default_rng(0).standard_normal(FILTERS).astype(np.float32)
    nodes = """
        a = Conv <strides = [2, 2]> (input, w)
        b = Relu (a)
        c = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (b)
    """
    features = model(
        nodes + "output = Flatten (c)", {"w": filters}, inputs="float[1,1,24,24] input", outputs="float[1,200] output"
    )
    session = onnxruntime.InferenceSession(features.SerializeToString(), providers=["CPUExecutionProvider"])
    widths = np.random.default_rng(1).integers(100, 130, len(digits.images))
    inputs = [seen(enlarged(digit, int(width))) for digit, width in zip(digits.images, widths, strict=True)]
    rows = np.concatenate([session.run(None, {"input": values})[0] for values in inputs])
    first = len(rows) - IMAGES
    known, wanted = np.c_[rows[:first], np.ones(first)], np.eye(10)[digits.target[:first]] * 2 - 1
    fitted = np.linalg.solve(known.T @ known + 5 * np.eye(known.shape[1]), known.T @ wanted).astype(np.float32)
    constants = {"w": filters, "v": fitted[:-1], "bias": fitted[-1]}
    whole = model(
        nodes + "d = Flatten (c)\n output = Gemm (d, v, bias)",
        constants,
        inputs="float[1,1,24,24] input",
        outputs="float[1,10] output",
    )
    (folder / "photos").mkdir()
    for index in range(first, len(rows)):
        photo = enlarged(digits.images[index], int(widths[index])).convert("RGB")
        photo.save(folder / "photos" / f"{index}-{digits.target[index]}.jpg", quality=90, progressive=index % 2 == 0)
    return save(folder, whole), folder / "photos"


def in_python(path: Path, photos: Path) -> list[str]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    scores = [session.run(None, {"input": seen(Image.open(photo))})[0][0] for photo in sorted(photos.iterdir())]
    return [LABELS[int(row.argmax())] for row in scores]


def by_b2nn_run(folder: Path, photos: Path, emulator: list[str], environment: dict[str, str]) -> list[str]:
    command = [*emulator, str(folder / RUNNER), str(photos), "--json", "--top", "1"]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [row["classes"][0]["label"] for row in rows if row["row"] == "image"]


@pytest.mark.emulated
@pytest.mark.parametrize(("target", "cpu"), [("native", ""), ("arm", "cortex-a72"), ("armv7", "cortex-a7")])
def test_the_classes_are_those_of_python(trained, tmp_path, monkeypatch, target, cpu):
    path, photos = trained
    want = in_python(path, photos)
    truth = [LABELS[int(photo.stem.split("-")[1])] for photo in sorted(photos.iterdir())]
    assert np.mean([one == other for one, other in zip(want, truth, strict=True)]) > 0.85
    monkeypatch.setenv(FOLDER_VARIABLE, os.environ.get(FOLDER_VARIABLE) or str(ROOT / "build" / "arm-emulator"))
    command, environment = [], dict(os.environ)
    if cpu:
        try:
            emulator = find_emulator("armv7l" if target == "armv7" else "aarch64")
        except DeviceError as error:
            pytest.skip(str(error))
        command, environment = emulator.command_line(cpu), emulator.environment()
    compile_model(path, target=target, output=tmp_path / "net", verify=False).close()
    change_manifest(tmp_path / "net", preprocess=HOW | {"input": "input"}, labels=LABELS)
    assert by_b2nn_run(tmp_path / "net", photos, command, environment) == want
    if not cpu:
        with b2nn_runtime.load(tmp_path / "net") as net:
            assert [net.predict(photo, top=1)[0][0] for photo in sorted(photos.iterdir())] == want
