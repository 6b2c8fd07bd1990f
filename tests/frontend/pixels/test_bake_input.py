"""A network that takes pixels computes the very numbers that the float network gets."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from b2nn_tvm.compiler import PIXELS, compile_model
from b2nn_tvm.deploy.library.verification import THIS_LIBRARY
from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.pixels.bake_input import bake_input
from b2nn_tvm.frontend.pixels.find_meaning import Given
from b2nn_tvm.preprocess.onnx_metadata import Meaning, read_meaning, write_meaning
from b2nn_tvm.preprocess.preprocess import Preprocess
from b2nn_tvm.verification.oracle import Oracle
from tests.support.networks.onnx_models import model, save

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def values(channels: int, shape: str = "1,{},8,6") -> onnx.ModelProto:
    """A network whose output is its normalized input, in another order."""
    size = shape.format(channels)
    return model("output = Transpose <perm = [0, 1, 3, 2]> (input)", inputs=f"float[{size}] input")


def every_pixel(channels: int) -> np.ndarray:
    """Each value in each channel somewhere: 256 / (8 * 6) pictures."""
    return np.resize(np.arange(256, dtype=np.uint8), (6, 8, 6, 1)).repeat(channels, 3)


@pytest.mark.parametrize("channels", [3, 1])
def test_every_pixel_is_normalized_to_the_same_bits(tmp_path, channels):
    """In onnxruntime and in the compiled library, where nothing may make other operations of the three."""
    given = Given(MEAN[:channels], STD[:channels])
    baked = values(channels)
    bake_input(baked, given)
    preprocess = read_meaning(baked).preprocess
    assert preprocess.baked and preprocess.input == "input_pixels" and preprocess.shape == (1, 8, 6, channels)
    oracle = Oracle(save(tmp_path, baked))
    path = save(tmp_path, values(channels))
    options = {"mean": given.mean, "std": given.std, "input_format": PIXELS, "verify": False}
    with compile_model(path, output=tmp_path / "library", **options) as artifact:
        assert artifact.manifest.preprocess == preprocess
        for picture in every_pixel(channels)[:, None]:
            expected = preprocess.normalized(picture).swapaxes(2, 3)
            for outputs in (oracle.run({"input_pixels": picture}), artifact.run({"input_pixels": picture})):
                np.testing.assert_array_equal(outputs["output"], expected)


def test_the_metadata_of_the_file_suffice_and_open_shapes_are_fixed():
    one = values(3, "batch,{},h,w")
    write_meaning(one, Meaning(Preprocess.covering((3, 5, 4), MEAN, STD), ("a", "b")))
    bake_input(one, Given(), input_shapes={"input": (1, 3, 5, 4)})
    onnx.checker.check_model(one)
    (picture,) = one.graph.input
    assert [dim.dim_value for dim in picture.type.tensor_type.shape.dim] == [1, 5, 4, 3]
    assert read_meaning(one).labels == ("a", "b")
    before = one.SerializeToString()
    bake_input(one, Given())  # it takes pixels already
    assert one.SerializeToString() == before


def test_names_that_are_taken_are_left_alone():
    one = model("input_pixels = Relu (input) output = Neg (input_pixels)", inputs="float[1,3,4,4] input")
    bake_input(one, Given(MEAN, STD))
    onnx.checker.check_model(one)
    assert one.graph.input[0].name == "input_pixels_"


def test_without_mean_and_std_it_is_refused_with_what_to_do():
    with pytest.raises(InputError, match=r"neither the metadata .* nor mean and std say how: give --mean and --std"):
        bake_input(values(3), Given())


@pytest.mark.parametrize("opset", [1, 13])
def test_old_and_new_files_take_pixels(tmp_path, opset):
    """Of an old version of the format, in which constants are inputs, too."""
    old = model("output = Transpose <perm = [0, 1, 3, 2]> (input)", inputs="float[1,3,8,6] input", opset=opset)
    old.ir_version = 3
    options = {"mean": MEAN, "std": STD, "input_format": PIXELS}
    with compile_model(save(tmp_path, old), output=tmp_path / "library", **options) as artifact:
        assert artifact.manifest.verification.method == THIS_LIBRARY
        picture = every_pixel(3)[:1]
        expected = artifact.manifest.preprocess.normalized(picture).swapaxes(2, 3)
        np.testing.assert_array_equal(artifact.run({"input_pixels": picture})["output"], expected)
