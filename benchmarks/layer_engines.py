"""The times of one layer, float and binary, in every engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import onnx
from agreement import drop_disagreeing
from conv_models import binary_conv, binary_dense, bitserial_conv, dense, float_conv, is_dense
from engines import Name, Network, ours, peers
from onnxruntime_int8 import quantize
from rounds import Engine, Timing, Unavailable, Workers

import b2nn_tvm
from b2nn_tvm.workload import ConvWorkload


def conv(size: int, channels: int, kernel: int = 3, *, out: int = 0, stride: int = 1, groups: int = 1) -> ConvWorkload:
    """A square convolution, padded so that a stride of 1 keeps the size."""
    pads = (kernel // 2,) * 4
    return ConvWorkload(1, channels, size, size, out or channels, (kernel,) * 2, (stride,) * 2, pads, (1, 1), groups)


def time_layer(
    workload: ConvWorkload,
    workers: Workers,
    *,
    target: str,
    our_threads: Sequence[int],
    their_threads: Sequence[int],
    wanted: Collection[str],
    rounds: int,
    seconds: float,
    folder: Path,
) -> dict[Name, Timing | Unavailable]:
    """The time of each engine on the layer, or why there is none.

    The layer is also timed with 8 bits, and as a binary layer, unless it has groups or reads an image. Our engine also
    gets the layers of 2 bits of activation of a binary convolution.
    """
    binary = workload.groups == 1 and workload.in_channels > 3
    save = lambda model, name: (onnx.save(model, folder / name), folder / name)[1]
    if is_dense(workload):
        plain, shape = dense(workload), (1, workload.in_channels)
        mine = {"fp32": plain} | ({"binary": binary_dense(workload)} if binary else {})
    else:
        plain, shape = (
            float_conv(workload, channels_last=False),
            (1, workload.in_channels, workload.in_height, workload.in_width),
        )
        mine = {"fp32": float_conv(workload, channels_last=True)} | (
            {"binary": binary_conv(workload, channels_last=True)} if binary else {}
        )
        for weights in (1, 2) if binary else ():
            mine[f"w{weights}a2"] = bitserial_conv(workload, weight_bits=weights, activation_bits=2)
    mine["int8"] = mine["fp32"]
    theirs = save(binary_conv(workload, channels_last=False), "binary-peer.onnx") if binary else None
    network = Network(save(plain, "float-peer.onnx"), folder, shape, theirs)
    engines: dict[Name, Engine | Unavailable] = {}
    for threads in their_threads:
        engines |= peers(network, target=target, threads=threads, wanted=wanted)
    for precision, model in mine.items() if "b2nn" in wanted else ():
        library = folder / precision
        path = save(model, f"{precision}.onnx")
        path = quantize(path, folder / f"{precision}-quantized.onnx") if precision == "int8" else path
        # A node BinaryConv2d has no body here that onnxruntime could verify it with: agreement.py does. Nothing else
        # computes the layers of 2 bits.
        b2nn_tvm.compile_model(path, target=target, output=library, verify=precision.startswith("w"))
        for threads in our_threads:
            engines |= ours(
                library, precision=precision, target=target, threads=threads, channels_last=not is_dense(workload)
            )
    return _timed(engines, workers, strided=max(workload.stride) > 1, rounds=rounds, seconds=seconds, folder=folder)


def _timed(
    engines: Mapping[Name, Engine | Unavailable],
    workers: Workers,
    *,
    strided: bool,
    rounds: int,
    seconds: float,
    folder: Path,
) -> dict[Name, Timing | Unavailable]:
    # Larq's strided padding is TensorFlow's: the same work on a window one pixel off.
    compared = [name for name in engines if not (strided and name.engine == "larq-compute-engine")]
    outputs = {name: folder / f"output-{index}.npy" for index, name in enumerate(compared)}
    outcome = workers.interleave(engines, rounds=rounds, seconds=seconds, outputs=outputs)
    return drop_disagreeing(outcome, outputs)
