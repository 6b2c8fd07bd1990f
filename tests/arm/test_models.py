"""The networks of models/ with every eligible layer binary: libraries for this machine and for ARM answer as
onnxruntime does.

Layers of both kinds of binary weights alternate in pairs, so that each kind is followed by each; one kind learns its
thresholds. All of that in one file per network, since capturing it in torch takes as long as compiling it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.relative_difference import TOLERANCE, relative_difference
from b2nn_tvm.verification.ties.open_choices import TIE

BINARIZERS = ("xnor", "xnor", "distribution-aware", "distribution-aware")
# options, input, activation
NETWORKS = {
    "cresnet20": ({"width": 8, "image_size": 16}, (3, 16, 16), "binrelu"),
    "resnet18": ({"width": 8}, (3, 64, 64), "prelu"),
    "bireal18": ({"width": 8, "image_size": 64}, (3, 64, 64), "binrelu"),
    "mobilenet": ({"width": 8}, (3, 32, 32), "binrelu"),
    "alexnet": ({"width": 6, "image_size": 95}, (3, 95, 95), "prelu"),
    "squeezenet": ({"width": 8}, (3, 47, 47), "rprelu"),
    "sketchanet": ({"width": 6, "image_size": 105}, (1, 105, 105), "leaky_clip"),
    "vgg_small": ({"width": 8, "image_size": 16}, (3, 16, 16), "hardtanh"),
    "siamfc": ({"width": 8}, (3, 63, 63), "rprelu"),
}
# The others repeat the structures of these: shortcuts, groups, no padding, a chain with poolings. Branches that are
# joined are in tests/end_to_end/test_own_networks.py.
FIRST = ("cresnet20", "mobilenet", "siamfc", "vgg_small")
FIRST_FOR_ARM = ("cresnet20",)
FOR_THIS_MACHINE, FOR_ARM = (
    [pytest.param(name, marks=() if name in first else pytest.mark.sweep) for name in NETWORKS]
    for first in (FIRST, FIRST_FOR_ARM)
)


@dataclass(frozen=True)
class Mixed:
    """A network's file, its binary layers by binarizer, and images of which no sign hangs on a rounding, with the
    answers.
    """

    path: Path
    binary: dict[str, str]
    images: list[np.ndarray]
    answers: list[dict[str, np.ndarray]]

    def check(self, artifact: Artifact) -> None:
        """The library has the layers binary that it should have, and the box sums of those that need one."""
        boxes = {f"{name}.box_sum" for name, binarizer in self.binary.items() if binarizer == "distribution-aware"}
        assert {row.name for row in artifact.layers if row.precision == "binary"} == set(self.binary) | boxes


@pytest.fixture(scope="module")
def mixed(request, tmp_path_factory) -> Mixed:
    torch = pytest.importorskip("torch", reason="the networks are made with torch; pip install torch")
    from b2nn_tvm import models
    from b2nn_tvm.export.export_onnx import export_onnx
    from b2nn_tvm.mixbin.conversion.convert import convert
    from b2nn_tvm.mixbin.network.layers import trace
    from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate

    torch.manual_seed(0)
    options, shape, activation = NETWORKS[request.param]
    head = {} if request.param == "siamfc" else {"classes": 5}
    network = models.get(request.param)(**head, channels=shape[0], activation=activation, **options)
    eligible = trace(network, shape).eligible
    binary = {name: BINARIZERS[index % len(BINARIZERS)] for index, name in enumerate(eligible)}
    for binarizer in dict.fromkeys(BINARIZERS):
        chosen = [name for name in eligible if binary[name] == binarizer]
        network = convert(
            network,
            chosen,
            activation=activation,
            binarizer=binarizer,
            learned_threshold=binarizer == "distribution-aware",
        )
    reestimate(network, [(torch.randn(16, *shape),)]).eval()
    for name, parameter in network.named_parameters():
        if ".bn" in name or name.endswith("threshold"):  # what does nothing would be no test
            parameter.data.add_(torch.randn_like(parameter), alpha=0.2)
    path = export_onnx(network, tmp_path_factory.mktemp(request.param) / "net.onnx", input_shape=shape)
    oracle, images = Oracle(path), []
    while len(images) < 3:
        (image,) = torch.randn(1, 1, *shape).numpy()
        if oracle.closest_tie({"input": image}) > TIE:
            images.append(image)
    answers = [oracle.run({"input": image}) for image in images]
    with torch.no_grad():
        for image, answer in zip(images, answers):
            assert relative_difference({"output": network(torch.from_numpy(image)).numpy()}, answer) <= TOLERANCE
    return Mixed(path, binary, images, answers)


def test_no_network_is_left_out():
    pytest.importorskip("torch", reason="the networks are made with torch; pip install torch")
    from b2nn_tvm import models

    assert set(NETWORKS) == set(models.names())


@pytest.fixture(scope="module")
def arm_library(mixed) -> Path:
    folder = mixed.path.with_name("arm")
    compile_model(mixed.path, target="arm", output=folder, verify=False).close()
    return folder


@pytest.mark.sweep
@pytest.mark.parametrize("mixed", FOR_THIS_MACHINE, indirect=True, scope="module")
def test_on_this_machine(mixed):
    with compile_model(mixed.path, output=mixed.path.with_name("native"), verify=False) as artifact:
        mixed.check(artifact)
        for image, answer in zip(mixed.images, mixed.answers):
            assert relative_difference(artifact.run({"input": image}), answer) <= TOLERANCE


@pytest.mark.parametrize("mixed", FOR_ARM, indirect=True, scope="module")
def test_for_arm(mixed, arm_library):
    mixed.check(load(arm_library))


@pytest.mark.emulated
@pytest.mark.parametrize("mixed", FOR_ARM, indirect=True, scope="module")
def test_on_an_emulated_board(mixed, arm_library, run_emulated):
    for image, answer in zip(mixed.images, mixed.answers):
        outputs = run_emulated(arm_library, {"input": image}, cpu="cortex-a53")
        assert relative_difference(outputs, answer) <= TOLERANCE
