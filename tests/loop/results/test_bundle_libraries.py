"""The folders of libraries become folders for a board, with a picture where the data have one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from b2nn_tvm import data
from b2nn_tvm.compiler import PIXELS, compile_model
from b2nn_tvm.loop.results.bundle_libraries import bundle_libraries
from tests.support.mixbin import noise
from tests.support.networks.onnx_models import model, save


def test_the_picture_gives_the_input_of_the_first_test_image(tmp_path: Path) -> None:
    bundle = data.shapes(images=(20, 20, 20))
    weight = np.random.default_rng(0).standard_normal((20, 3, 32, 32)).astype(np.float32)
    path = save(tmp_path, model("output = Conv (input, w)", {"w": weight}, inputs="float[1,3,32,32] input"))
    given = {"mean": bundle.mean, "std": bundle.std, "labels": bundle.class_names, "input_format": PIXELS}
    artifact = compile_model(path, output=tmp_path / "library", verify=False, **given)
    bundle_libraries([artifact.folder], bundle)
    names = {entry.name for entry in artifact.folder.iterdir()}
    assert {"labels.txt", "example.png", "README.txt", "classify.c"} <= names
    assert tuple((artifact.folder / "labels.txt").read_text().splitlines()) == bundle.class_names
    label = bundle.class_names[int(bundle.test.labels[0])]
    assert f"was not trained on: {label}." in (artifact.folder / "README.txt").read_text()
    with artifact, Image.open(artifact.folder / "example.png") as picture:
        pixels = artifact.manifest.preprocess(picture)
        assert np.array_equal(pixels[0].transpose(2, 0, 1), bundle.test.pixels[0])
        assert artifact.run({"input_pixels": pixels})["output"].shape == (1, 20, 1, 1)
    (artifact.folder / "example.png").unlink()
    bundle_libraries([artifact.folder], noise.images())
    assert not (artifact.folder / "example.png").exists()
