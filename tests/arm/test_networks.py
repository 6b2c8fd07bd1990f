"""A mixed network as the trainer exports it, compiled for ARM: its logits are onnxruntime's on three CPUs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.verify import TIE, Oracle

pytestmark = pytest.mark.emulated

CPUS = ("cortex-a53", "cortex-a72", "cortex-a76")
IMAGES = 3


@dataclass(frozen=True)
class Mixed:
    """A network's file, the names of its binary layers, and images no sign of which hangs on a rounding."""

    path: Path
    binary: tuple[str, ...]
    images: tuple[np.ndarray, ...]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Mixed:
    """C-ResNet-20 with every other eligible layer binary; random weights and statistics of batch norm."""
    torch = pytest.importorskip("torch", reason="the network is made with torch; pip install torch")
    from b2nn_tvm.data.digits import digits
    from b2nn_tvm.export import export_onnx
    from b2nn_tvm.mixbin.convert import convert
    from b2nn_tvm.mixbin.layers import trace
    from b2nn_tvm.models import cresnet20

    torch.manual_seed(0)
    model = cresnet20(classes=10)
    binary = trace(model, (3, 32, 32)).eligible[::2]
    model = convert(model, binary)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.normal_(module.weight, mean=0.5, std=0.7)  # some are negative
            torch.nn.init.normal_(module.bias, std=0.3)
    path = export_onnx(model.eval(), tmp_path_factory.mktemp("mixed") / "net.onnx", input_shape=(1, 3, 32, 32))
    oracle = Oracle(path)
    test = digits().test.images[:40].numpy()
    safe = (image[None] for image in test if oracle.closest_tie({"input": image[None]}) > TIE)
    return Mixed(path, tuple(binary), tuple(image for image, _ in zip(safe, range(IMAGES))))


@pytest.fixture(scope="module")
def folder(mixed, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("arm") / "net"
    artifact = compile_model(mixed.path, target="arm", output=place)
    precisions = {row.name: row.precision for row in artifact.layers if row.op == "conv2d"}
    artifact.close()
    assert {name for name, precision in precisions.items() if precision == "binary"} == set(mixed.binary)
    assert len(mixed.binary) == 9 and len(precisions) > 20
    return place


@pytest.mark.parametrize("cpu", CPUS)
def test_logits_are_those_of_onnxruntime(run_emulated, mixed, folder, cpu):
    assert len(mixed.images) == IMAGES
    oracle = Oracle(mixed.path)
    for image in mixed.images:
        (result,) = run_emulated(folder, {"input": image}, cpu=cpu, threads=2).values()
        expected = oracle.run({"input": image})["output"]
        assert result.shape == expected.shape == (1, 10)
        assert np.abs(result - expected).max() <= 1e-4 * np.abs(expected).max()
        assert result.argmax() == expected.argmax()
