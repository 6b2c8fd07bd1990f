"""The options of conversion as one value: they reach the layers, and what is unknown is refused before any work."""

import pytest
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.options import DEFAULT, ConversionOptions
from b2nn_tvm.mixbin.modules.activations import RPReLU


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.Flatten(), nn.Linear(4, 2))


def test_options_reach_the_layers():
    found = ConversionOptions("distribution-aware", "rprelu", -1, True).convert(network(), ["2"])
    assert isinstance(found[1], RPReLU)
    assert (found[2].binarizer, found[2].pad_value) == ("distribution-aware", -1) and found[2].threshold.shape == (4,)
    usual = DEFAULT.convert(network(), ["2"])
    assert (usual[2].binarizer, usual[2].pad_value, usual[2].threshold) == ("xnor", 0, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"binarizer": "dorefa"}, "no binarizer 'dorefa'; choose one of xnor"),
        ({"activation": "gelu"}, "no activation 'gelu'; choose one of relu"),
        ({"pad_value": 2}, "0, 1 or -1, not with 2"),
    ],
)
def test_what_is_unknown_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        ConversionOptions(**options)


def test_options_in_words():
    assert str(DEFAULT) == "xnor weights, binrelu in front, borders of 0, no thresholds"
