"""Generated 8-bit layers, compiled for each x86 target, against the definition."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

TITLE = "Generated 8-bit layers"
LAYERS = 20
NETWORKS = 5
ABOUT = f"""
Quantized convolutions and dense layers, {LAYERS} side by side in a network: plain, with groups, depthwise, dense, of
any stride, dilation, padding and zero point, with weights from -128 to 127 or at the ends of this range. In each
network one dense layer has the most weights of the largest magnitude whose sums fit int32. Each network is compiled for
each x86 target that this machine runs, and computes six images: two of any codes, one each of the highest codes, of the
lowest, of both, and of those around the zero point. A case is a layer with an image. "exact": all layers became int8,
and all their sums are those of the definition.
"""
COLUMNS = ("network", "outcome", "reason", "layers", "cases")
EXACT, WRONG, REFUSED, CRASHED = OUTCOMES = ("exact", "wrong", "refused", "crashed")
LIMIT_S = 600


def names() -> Sequence[str]:
    """A target and a seed, such as "x86 3"."""
    from b2nn_tvm.targets.target import NATIVE, get
    from b2nn_tvm.targets.target import names as targets

    running = [name for name in targets() if name != NATIVE and name.startswith("x86") and get(name).runs_here]
    return [f"{target} {seed}" for seed in range(NETWORKS) for target in running]


def row(name: str) -> dict[str, object]:
    """What became of the network of this seed on this target."""
    from b2nn_tvm.errors import B2nnError, ProgramFault
    from tests.support.exactness.int8_layers import IMAGES, draw_layers

    target, seed = name.split()
    layers = draw_layers(int(seed), LAYERS)
    numbers = {"layers": len(layers), "cases": len(layers) * len(IMAGES)}
    try:
        wrong = differences(layers, target, int(seed))
    except ProgramFault as error:
        return {"outcome": CRASHED, "reason": str(error), **numbers}
    except B2nnError as error:
        return {"outcome": REFUSED, "reason": str(error), **numbers}
    return {"outcome": WRONG if wrong else EXACT, "reason": "; ".join(wrong[:5]), **numbers}


def differences(layers: list, target: str, seed: int) -> list[str]:
    """Which layers did not become int8, or give other sums, and on which images."""
    import numpy as np
    import onnx

    from b2nn_tvm.compiler import compile_model
    from tests.support.exactness.int8_layers import network, runs

    with tempfile.TemporaryDirectory(prefix="int8-") as folder:
        path = Path(folder) / "layers.onnx"
        onnx.save(network(layers), path)
        with compile_model(path, target=target, output=Path(folder) / "library", verify=False) as artifact:
            found = [row.precision for row in artifact.layers if row.op in ("conv2d", "dense")]
            wrong = [] if found == ["int8"] * len(layers) else [f"the layers are {', '.join(found)}"]
            for kind, images, expected in runs(layers, seed):
                outputs = artifact.run(images)
                wrong += [
                    f"{kind} image, {_words(layers[int(output[1:])])}"
                    for output, sums in expected.items()
                    if not np.array_equal(outputs[output], sums)
                ]
    return wrong


def _words(layer) -> str:
    """A layer in words, to make it again."""
    weight = "x".join(map(str, layer.weight.shape))
    if layer.dense:
        return f"dense {weight}"
    return (
        f"conv {weight} of {'x'.join(map(str, layer.shape))}, groups {layer.groups}, stride {layer.stride}, "
        f"padding {layer.padding}, dilation {layer.dilation}, zero {layer.zero!r}"
    )
