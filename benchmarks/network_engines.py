"""The times of one network, all float or with some layers binary, in every engine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from agreement import drop_disagreeing
from engines import Name, Network, ours, peers
from network_models import SHAPES, network, save
from onnxruntime_int8 import quantize
from rounds import Timing, Unavailable, Workers

import b2nn_tvm

# Two engines' rounding flips signs of values next to zero, and each flip moves the layers behind it.
LIMITS = {"fp32": 2e-3, "int8": 0.1, "binary": 0.05}


def time_network(
    name: str,
    binary: Sequence[str],
    workers: Workers,
    *,
    key: str,
    target: str,
    threads: Sequence[int],
    wanted: Collection[str],
    rounds: int,
    seconds: float,
    folder: Path,
) -> dict[Name, Timing | Unavailable]:
    """The time of each engine on a network of SHAPES with these layers (or options of layers) binary, or why there is
    none.

    All forms of the network are kept in ``folder``. Further calls use the forms of the float network again; ``key``
    names the other forms.
    """
    model, shape = network(name), SHAPES[name]
    plain = folder / f"{name}-float.onnx"
    if not plain.is_file():
        save(model, plain, shape=shape)
    mixed = save(model, folder / f"{key}.onnx", binary, shape=shape) if binary else None
    library = folder / f"{key}.library"
    if "b2nn" in wanted:
        b2nn_tvm.compile_model(mixed or plain, target=target, output=library)
    quantized = folder / f"{name}-int8.library"
    if "b2nn" in wanted and not binary and not quantized.exists():
        b2nn_tvm.compile_model(quantize(plain, folder / f"{name}-float.int8.onnx"), target=target, output=quantized)
    engines = {}
    for count in threads:
        engines |= peers(Network(plain, folder, shape, mixed), target=target, threads=count, wanted=wanted)
        if "b2nn" in wanted:
            engines |= ours(library, precision="binary" if binary else "fp32", target=target, threads=count)
        if "b2nn" in wanted and not binary:
            engines |= ours(quantized, precision="int8", target=target, threads=count)
    # Larq's strided padding is TensorFlow's: the same work on a window one pixel off.
    compared = [engine for engine in engines if engine.engine != "larq-compute-engine"]
    outputs = {engine: folder / f"{key}-{index}.npy" for index, engine in enumerate(compared)}
    outcome = workers.interleave(engines, rounds=rounds, seconds=seconds, outputs=outputs)
    return drop_disagreeing(outcome, outputs, limits=LIMITS)
