import pytest
from torch import nn

from b2nn_tvm import models
from b2nn_tvm.errors import InputError
from b2nn_tvm.tracking.sizes import Sizes


def test_siamfcs_crops_on_the_papers_trunk():
    """127 and 255 pixels: features of 8x8 and 16x16, 9x9 responses of stride 16."""
    assert Sizes.of(models.siamfc(width=4)) == Sizes(127, 255, response=9, stride=16)


def test_smaller_crops():
    trunk = models.siamfc(width=4, stem_stride=1)
    assert Sizes.of(trunk, exemplar=64, search=128) == Sizes(64, 128, response=9, stride=8)
    assert Sizes.of(trunk, exemplar=32, search=64) == Sizes(32, 64, response=5, stride=8)


@pytest.mark.parametrize(("exemplar", "search"), [(64, 64), (64, 72), (64, 124), (128, 64)])
def test_crops_that_do_not_fit_are_refused(exemplar, search):
    with pytest.raises(InputError, match="the crops must differ by the trunk's stride"):
        Sizes.of(models.siamfc(width=4, stem_stride=1), exemplar=exemplar, search=search)


def test_a_classifier_is_no_trunk():
    classifier = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(InputError, match=r"features \[N, C, H, W\], but Sequential gives \(1, 4\)"):
        Sizes.of(classifier)
