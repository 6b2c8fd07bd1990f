"""What a user does with a torch network: trace it, make half of the layers binary, export, compile, compare."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.surveys.registry import OUTCOME, REASON

if TYPE_CHECKING:
    from torch import nn

COLUMNS = (
    *(OUTCOME, REASON, "eligible layers", "layers that stay float", "made binary", "compiled to binary"),
    *("of onnxruntime", "of torch", "seconds"),
)
RAW = "raw error"  # one that is no B2nnError, or says that it is a fault of this program
OUTCOMES = ("passed", "in float", "wrong", "not compiled", "not exported", "not converted", "not traced", RAW)


def try_network(model: nn.Module, shape: tuple[int, ...]) -> dict[str, object]:
    """A row with ``COLUMNS`` about ``model``, a network for one input of ``shape`` [C, H, W].

    Every second eligible layer becomes binary. The two differences are relative to the largest score: that of the
    library from onnxruntime is what the compiler's own check found; that from torch may be larger, because a sum that
    is rounded otherwise can change a sign.
    """
    row: dict[str, object] = {}
    begun = time.monotonic()
    row |= _try(model, shape, row)
    return row | {"seconds": round(time.monotonic() - begun)}


def settle_batch_norms(model: nn.Module, shape: tuple[int, ...], *, batch: int = 4) -> None:
    """Give the batch norms of an untrained network the statistics of a batch of noise, as after a training.

    Without them, values of a deep network grow or vanish layer by layer.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    with torch.no_grad():
        model.train()(torch.randn(batch, *shape, generator=torch.Generator().manual_seed(0)))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    model.eval()


def _try(model: nn.Module, shape: tuple[int, ...], row: dict[str, object]) -> dict[str, object]:
    import numpy as np
    import torch

    from b2nn_tvm import compile_model
    from b2nn_tvm.deploy.library.verification import NOT_CHECKED
    from b2nn_tvm.errors import B2nnError, ProgramFault, VerificationError
    from b2nn_tvm.export import export_onnx
    from b2nn_tvm.mixbin.conversion.convert import convert
    from b2nn_tvm.mixbin.network.layers import trace
    from b2nn_tvm.verification.verify_artifact import relative_difference

    settle_batch_norms(model, shape)
    step = "not traced"
    with tempfile.TemporaryDirectory(prefix="b2nn-") as folder:
        try:
            table = trace(model, shape)
            chosen = table.eligible[::2]
            row["eligible layers"], row["made binary"] = len(table.eligible), len(chosen)
            row["layers that stay float"] = most_common(layer.reason for layer in table if not layer.eligible)
            step = "not converted"
            mixed = convert(model, chosen).eval()
            step = "not exported"
            path = export_onnx(mixed, Path(folder) / "network.onnx", input_shape=shape)
            step = "not compiled"
            artifact = compile_model(path, output=Path(folder) / "library")
        except VerificationError as error:
            return {OUTCOME: "wrong", REASON: error}
        except ProgramFault as error:
            return {OUTCOME: RAW, REASON: error}
        except B2nnError as error:
            return {OUTCOME: step, REASON: error}
        except Exception as error:  # noqa: BLE001 - this is what the survey is to find
            return {OUTCOME: RAW, REASON: f"{step}: {type(error).__name__}: {error}"}
        with artifact:
            (spec,) = artifact.inputs
            image = np.random.default_rng(1).standard_normal(spec.shape).astype(spec.dtype)
            ours = next(iter(artifact.run({spec.name: image}).values()))
        with torch.no_grad():
            theirs = mixed(torch.from_numpy(image)).numpy()
    row["of onnxruntime"] = f"{artifact.manifest.verification.largest_difference:.0e}"
    row["of torch"] = f"{relative_difference({'': ours}, {'': theirs}):.0e}"
    binary = [layer for layer in artifact.layers if layer.precision == "binary"]
    row["compiled to binary"] = len(binary)
    if artifact.manifest.verification.method == NOT_CHECKED:
        return {OUTCOME: "wrong", REASON: artifact.manifest.verification.reason}
    if len(binary) < len(chosen):
        reasons = {layer.name: layer.reason for layer in artifact.layers}
        return {OUTCOME: "in float", REASON: most_common(reasons.get(name, "no such layer") for name in chosen)}
    return {OUTCOME: "passed"}


def most_common(reasons: Iterable[str], number: int = 3) -> str:
    """The reasons that come up most often, with their counts."""
    counts = Counter(reason for reason in reasons if reason)
    return "; ".join(f"{count} x {reason}" for reason, count in counts.most_common(number))
