"""Every classifier of the package in small."""

from __future__ import annotations

from b2nn_tvm import models

SMALL = {
    "cresnet20": {"image_size": 16, "width": 4},
    "resnet18": {"width": 4},
    "bireal18": {"image_size": 32, "width": 4},
    "mobilenet": {"width": 4},
    "alexnet": {"image_size": 95, "width": 4},
    "squeezenet": {"width": 4},
    "sketchanet": {"image_size": 105, "width": 4},
    "vgg_small": {"image_size": 16, "width": 4},
}
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
CLASSIFIER = {"mobilenet": "fc", "alexnet": "fc8", "squeezenet": "conv10", "sketchanet": "fc8", "vgg_small": "fc7"}


def small(name, **options):
    model = models.get(name)(classes=7, channels=2, **SMALL[name], **options)
    size = SMALL[name].get("image_size", 40)
    return model, (2, size, size)
