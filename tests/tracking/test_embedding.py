"""The trunk compiled for both crops: the same boxes as with torch in each frame, with float and with binary layers."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import torch

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.errors import InputError
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.tracking.embedding import library_embedding, torch_embedding
from b2nn_tvm.tracking.tracker import Tracker, track

pytestmark = pytest.mark.sweep
# Boxes move by a sixteenth of a cell or not at all: what rounding changes is seen only where two points are as high.
PIXELS = 1e-3


@pytest.fixture(scope="module", params=["float", "mixed"])
def compiled(request, trained, tmp_path_factory):
    """The network and its two libraries, for the exemplar and for the three scales of the search crop at once."""
    net = trained.net
    if request.param == "mixed":
        net = trained.net.convert(trace(net.trunk, (3, 64, 64)).eligible[1::2])
        reestimate(net, trained.data.calibration(32, batch=32))
    net.eval()
    folder = tmp_path_factory.mktemp(request.param)
    with contextlib.ExitStack() as stack:
        libraries = []
        for count, pixels in ((1, net.sizes.exemplar), (3, net.sizes.search)):
            path = export_onnx(net.trunk, folder / f"{pixels}.onnx", input_shape=(count, 3, pixels, pixels))
            library = compile_model(path, output=folder / str(pixels), verify=False)
            assert sum(row.precision == "binary" for row in library.layers) == 6 * (request.param == "mixed")
            libraries.append(stack.enter_context(library))
        yield net, libraries


def test_boxes_are_the_same_from_torch_and_from_the_libraries(compiled, trained):
    net, libraries = compiled
    embeddings = torch_embedding(net.trunk), library_embedding(*libraries)
    for video in trained.held_out[:2]:
        expected, found = (track(Tracker(embed, net.sizes), video) for embed in embeddings)
        np.testing.assert_allclose(found, expected, atol=PIXELS)
        assert np.abs(np.diff(found, axis=0)).max() > 1  # it moved


def test_features_are_the_same(compiled):
    net, libraries = compiled
    crops = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)).numpy()
    found, expected = library_embedding(*libraries)(crops), torch_embedding(net.trunk)(crops)
    close = np.isclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert close.all() if not any("Binary" in repr(module) for module in net.trunk.modules()) else close.mean() > 0.99


def test_crops_that_no_library_takes_are_refused(compiled):
    embed = library_embedding(*compiled[1])
    for shape in ((1, 3, 48, 48), (4, 3, 64, 64)):
        with pytest.raises(
            InputError, match="no library takes crops of .*; those given were compiled for 1x3x32x32, 3x3x64x64"
        ):
            embed(np.zeros(shape, np.float32))
    with pytest.raises(InputError, match="compiled for none"):
        library_embedding()(np.zeros((1, 3, 32, 32), np.float32))


def test_several_crops_run_one_after_the_other_where_one_was_compiled_for(compiled):
    embed = library_embedding(*compiled[1])
    crops = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)).numpy()
    np.testing.assert_array_equal(embed(crops), np.concatenate([embed(crop[None]) for crop in crops]))
