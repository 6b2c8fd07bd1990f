"""The taps of Resize against onnxruntime, for all modes and kinds of scales: applied in numpy, so nothing compiles."""

import itertools

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.operators.resize_taps import ResizeMode, resize_taps

X = np.random.default_rng(0).standard_normal((1, 2, 5, 7)).astype(np.float32)
SCALES = ((2, 2), (2.5, 1.5), (0.6, 0.6), (1.3, 0.7), (3, 2))
SIZES = ((12, 11), (3, 1), (4, 20))
ROI = ((0.1, 0.9), (-0.2, 1.3))
COORDINATES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "tf_crop_and_resize")
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def expected(attributes: dict, scales, sizes, roi) -> np.ndarray:
    names = ["x", "roi" if roi else "", *(["scales"] if scales else ["", "sizes"])]
    constants = {
        "roi": np.array([0, 0, *(start for start, _ in ROI), 1, 1, *(end for _, end in ROI)], np.float32),
        "scales": np.array([1, 1, *(scales or ())], np.float32),
        "sizes": np.array([1, 2, *(sizes or ())]),
    }
    graph = helper.make_graph(
        [helper.make_node("Resize", names, ["y"], **attributes)],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(constants[name], name) for name in names[1:] if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": X})[0]


def applied(how: ResizeMode, scales, sizes) -> np.ndarray:
    y, outside = X, []
    for place, axis in enumerate((2, 3)):
        size = X.shape[axis]
        out = sizes[place] if sizes else int(np.float32(scales[place]) * np.float32(size))
        taps = resize_taps(how, size, out, scales[place] if scales else out / size, ROI[place])
        full = [-1 if number == axis else 1 for number in range(4)]
        pairs = zip(taps.indices.T, taps.weights.T, strict=True)
        y = sum(np.take(y, indices, axis) * weights.reshape(full) for indices, weights in pairs)
        outside.append(taps.outside.reshape(full))
    return np.where(outside[0] | outside[1], np.float32(7.5), y)


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_equal_onnxruntime(mode, coordinates):
    crops = coordinates == "tf_crop_and_resize"
    extras = {
        "nearest": [{"nearest_mode": word} for word in NEAREST],
        "linear": [{}],
        "cubic": [{}, {"cubic_coeff_a": -0.5}, {"exclude_outside": 1}],
    }[mode]
    taken = [scales for scales in SCALES if coordinates != "align_corners" or is_whole(scales)]
    targets = [(scales, None) for scales in taken] + [(None, sizes) for sizes in SIZES]
    for extra, (scales, sizes) in itertools.product(extras, targets):
        attributes = {"mode": mode, "coordinate_transformation_mode": coordinates, "extrapolation_value": 7.5, **extra}
        how = ResizeMode(
            mode,
            coordinates,
            extra.get("nearest_mode", "round_prefer_floor"),
            extra.get("cubic_coeff_a", -0.75),
            bool(extra.get("exclude_outside", 0)),
        )
        np.testing.assert_allclose(
            applied(how, scales, sizes),
            expected(attributes, scales, sizes, crops),
            rtol=1e-4,
            atol=1e-5,
            err_msg=f"{extra} {scales} {sizes}",
        )


def is_whole(scales) -> bool:
    """Whether both sides of the result are whole numbers of pixels."""
    return all((scale * size).is_integer() for scale, size in zip(map(float, scales), X.shape[2:], strict=True))


def test_symmetric_half_pixels_are_taken_where_rounding_does_not_decide():
    how = ResizeMode("linear", "half_pixel_symmetric")
    attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"}
    np.testing.assert_allclose(
        applied(how, (2.5, 1.5), None), expected(attributes, (2.5, 1.5), None, False), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(UnsupportedError, match="rounding decides"):
        resize_taps(ResizeMode("nearest", "half_pixel_symmetric", "floor"), 5, 12, 2.5)


def test_which_axes_are_copied():
    assert resize_taps(ResizeMode(), 7, 7, 1).is_copy(7)
    assert resize_taps(ResizeMode("cubic"), 7, 7, 1).is_copy(7)
    assert not resize_taps(ResizeMode(), 7, 14, 2).is_copy(7)
    assert resize_taps(ResizeMode(), 7, 14, 2).selects and not resize_taps(ResizeMode("linear"), 7, 14, 2).selects


@pytest.mark.parametrize(
    ("how", "scale", "roi", "error", "match"),
    [
        (ResizeMode("linear", antialias=True), 0.5, (0, 1), UnsupportedError, "antialias"),
        (ResizeMode("cubic", antialias=True), 2, (0, 1), UnsupportedError, "antialias"),
        (ResizeMode("linear", "tf_crop_and_resize"), 1, (0.1, 0.9), UnsupportedError, "scale 1"),
        (ResizeMode("linear", "align_corners"), 0.6, (0, 1), UnsupportedError, "a scale of 0.6 along an axis of 6"),
        (ResizeMode("linear", "sideways"), 2, (0, 1), UnsupportedError, "sideways"),
        (ResizeMode("quadratic"), 2, (0, 1), InputError, "quadratic"),
        (ResizeMode(nearest="up"), 2, (0, 1), InputError, "nearest_mode"),
    ],
)
def test_what_is_refused(how, scale, roi, error, match):
    with pytest.raises(error, match=match):
        resize_taps(how, 6, int(6 * scale), scale, roi)


def test_upscaling_without_need_of_a_wider_filter_is_taken():
    plain, asked = (resize_taps(ResizeMode("linear", antialias=antialias), 6, 12, 2) for antialias in (False, True))
    np.testing.assert_array_equal(plain.weights, asked.weights)
