import numpy as np
from onnx import helper

from tests.support.networks.operators import compiled, operators_model
from tests.support.passes.relax_functions import random_input

X = random_input((2, 3, 4, 6))


def test_pixels_become_channels_in_both_orders(tmp_path):
    """The definition: apart(n, c, h, i, w, j), in the order of channels (i, j, c) or (c, i, j)."""
    nodes = {
        "dcr": ("SpaceToDepth", ["x"], {"blocksize": 2}),
        "back": ("DepthToSpace", ["dcr"], {"blocksize": 2}),
        "crd": ("SpaceToDepth", ["x"], {"blocksize": 2, "mode": "CRD"}),
        "back_crd": ("DepthToSpace", ["crd"], {"blocksize": 2, "mode": "CRD"}),
    }
    model = operators_model({name: nodes[name] for name in ("dcr", "back")}, {"x": X}, opset=18)
    found = compiled(tmp_path, model, {"x": X})
    apart = X.reshape(2, 3, 2, 2, 3, 2)
    np.testing.assert_array_equal(found["dcr"], apart.transpose(0, 3, 5, 1, 2, 4).reshape(2, 12, 2, 3))
    np.testing.assert_array_equal(found["back"], X)
    model = operators_model({name: nodes[name] for name in ("crd", "back_crd")}, {"x": X}, opset=28)
    found = compiled(tmp_path, model, {"x": X})
    np.testing.assert_array_equal(found["crd"], apart.transpose(0, 1, 3, 5, 2, 4).reshape(2, 12, 2, 3))
    np.testing.assert_array_equal(found["back_crd"], X)


def test_behind_a_convolution(tmp_path):
    before = [helper.make_node("Conv", ["x", "c"], ["h"])]
    weight = random_input((4, 3, 1, 1), 1)
    model = operators_model({"y": ("SpaceToDepth", ["h"], {"blocksize": 2})}, {"x": X}, {"c": weight}, before=before)
    image = np.einsum("nchw,oc->nohw", X, weight[:, :, 0, 0]).reshape(2, 4, 2, 2, 3, 2)
    expected = image.transpose(0, 3, 5, 1, 2, 4).reshape(2, 16, 2, 3)
    np.testing.assert_allclose(compiled(tmp_path, model, {"x": X})["y"], expected, rtol=1e-4, atol=1e-5)
