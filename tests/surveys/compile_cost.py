"""The memory and the time of b2nn-compile."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.paths import ROOT

if TYPE_CHECKING:
    import torch

TITLE = "Memory and time of compiling"
ABOUT = """
`b2nn-compile` for this machine, with the check after compiling and an empty cache: the built-in networks at their usual
image sizes, in float and some with all eligible layers binary, the light zoo of the onnx package with random weights,
and two networks of timm. "peak MiB" is the largest sum of the proportional set sizes (PSS) of all processes of the
command at one time, or the largest resident set that a single one of them ever had, if that is more. The bar is three
times the weights in the file and 1 GiB. Other programs kept the two cores busy meanwhile, which makes the times longer
than they are on an idle machine.
"""
COLUMNS = ("network", "outcome", "weights MiB", "bar MiB", "peak MiB", "CPU seconds", "seconds", "reason")
WITHIN, ABOVE, FAILED = "within the bar", "above the bar", "failed"
OUTCOMES = (WITHIN, ABOVE, FAILED)
LIMIT_S = 600
PER_PROCESS = 1  # a network is made in the process that asks, whose memory is better given back before the next
PYTHON = ROOT / ".venv-timm" / "bin" / "python"

SHAPES = {  # of docs/models.md
    "cresnet20": (3, 32, 32),
    "vgg_small": (3, 32, 32),
    "siamfc": (3, 127, 127),
    "sketchanet": (1, 225, 225),
}
USUAL_SHAPE = (3, 224, 224)
MIXED, BINARY = ("bireal18", "mobilenet", "alexnet"), ", binary"
TIMM = ("mobilenetv2_100", "efficientnet_lite0")
COMMAND = "from b2nn_tvm.cli.compile import main; main()"


def names() -> list[str]:
    """The built-in networks, the networks of the light zoo, and those of timm."""
    from b2nn_tvm import models
    from tests.support.surveys.light_zoo import light_names

    own = models.names()
    return [*own, *(name + BINARY for name in MIXED), *(f"zoo {name}" for name in light_names()), *TIMM]


def row(name: str) -> dict[str, object]:
    """What compiling the network ``name`` costs."""
    from tests.support.surveys.measured_command import measure

    with tempfile.TemporaryDirectory(prefix="b2nn-") as folder:
        path = Path(folder) / "network.onnx"
        weights = _write(name, path)
        command = [sys.executable, "-c", COMMAND, str(path), "-o", str(Path(folder) / "library")]
        environment = {**os.environ, "XDG_CACHE_HOME": folder, "PYTHONPATH": str(ROOT)}
        cost = measure(command, environment=environment)
    bar = 3 * weights + 2**30
    outcome = FAILED if cost.status else WITHIN if cost.peak_bytes <= bar else ABOVE
    return {
        "outcome": outcome,
        "weights MiB": round(weights / 2**20, 1),
        "bar MiB": round(bar / 2**20),
        "peak MiB": round(cost.peak_bytes / 2**20),
        "CPU seconds": round(cost.cpu_s, 1),
        "seconds": round(cost.wall_s, 1),
        "reason": cost.said if cost.status else "",
    }


def _write(name: str, path: Path) -> int:
    """Write the network ``name`` into the file, and return the bytes of its weights there."""
    import onnx

    from b2nn_tvm.frontend.checks.check_tensor import size_bytes

    if name.startswith("zoo "):
        from tests.support.surveys.light_zoo import with_random_weights

        onnx.save(with_random_weights(name.removeprefix("zoo ")), path)
    else:
        _export(name, path)
    model = onnx.load(path)
    return sum(size_bytes(tensor) for tensor in model.graph.initializer)


def _export(name: str, path: Path) -> None:
    import torch

    from b2nn_tvm import models
    from b2nn_tvm.export import export_onnx
    from b2nn_tvm.mixbin.conversion.convert import convert
    from b2nn_tvm.mixbin.network.layers import trace
    from tests.support.surveys.torch_network import settle_batch_norms

    torch.manual_seed(0)
    if name in TIMM:
        model, shape = _of_timm(name), USUAL_SHAPE
    else:
        own = name.removesuffix(BINARY)
        model, shape = models.get(own)(), SHAPES.get(own, USUAL_SHAPE)
    settle_batch_norms(model, shape)
    if name.endswith(BINARY):
        model = convert(model, trace(model, shape).eligible).eval()
    export_onnx(model, path, input_shape=shape)


def _of_timm(name: str) -> torch.nn.Module:
    from tests.support.surveys.prepare_timm import prepare_timm

    prepare_timm()
    import timm

    return timm.create_model(name, pretrained=False)
