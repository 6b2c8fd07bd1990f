"""A float network in ncnn's format -> its int8 form, as ncnn's tools make it.

These tools (ncnn2table, ncnn2int8) are not on PyPI. This file does the same: weights have scales per output channel and
activations per tensor, 127 / largest magnitude. Where a quantized convolution feeds another one directly, the values
between them are int8. The format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from inputs import random_input

CALIBRATION_SAMPLES = 8
FLOAT32_TAG, INT8_TAG = 0, 0x000D4B38
# Layers with weights: the keys of the number of weights, of the bias and of the groups among their parameters.
WEIGHTED = {"Convolution": (6, 5, None), "ConvolutionDepthWise": (6, 5, 7), "InnerProduct": (2, 1, None)}
INT8_TERM = {"Convolution": 2, "ConvolutionDepthWise": 1, "InnerProduct": 2}
REQUANTIZE = 100  # added to the term: the output is int8, too


@dataclass
class Layer:
    """One line of the text file, with the weights that the binary file holds for it."""

    type: str
    name: str
    bottoms: list[str]
    tops: list[str]
    parameters: dict[int, str]
    weights: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    bias: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))


def quantize(param: Path, output: Path, *, shape: tuple[int, ...]) -> Path:
    """Write the int8 form of the network ``param`` as ``output``, calibrated on random inputs; return ``output``."""
    layers = _read(param)
    weighted = [layer for layer in layers if layer.type in WEIGHTED]
    largest = _largest_activations(param, sorted({layer.bottoms[0] for layer in weighted}), shape)
    requantized = _feeding_another(layers)
    for layer in weighted:
        term = INT8_TERM[layer.type] + (REQUANTIZE if layer.name in requantized else 0)
        layer.parameters[8] = str(term)
    with output.with_suffix(".bin").open("wb") as file:
        for layer in weighted:
            scales = 127 / np.maximum(np.abs(layer.weights).max(axis=1), 1e-30)
            integers = np.clip(np.rint(layer.weights * scales[:, None]), -127, 127).astype(np.int8).tobytes()
            file.write(np.uint32(INT8_TAG).tobytes() + integers + bytes(-len(integers) % 4))
            activations = [127 / largest[layer.bottoms[0]]]
            if layer.name in requantized:
                activations.append(127 / largest[requantized[layer.name]])
            for array in (layer.bias, scales, np.array(activations)):
                file.write(array.astype(np.float32).tobytes())
    lines = param.read_text(encoding="utf-8").splitlines()
    output.write_text("\n".join([*lines[:2], *map(_line, layers)]) + "\n", encoding="utf-8")
    return output


def _read(param: Path) -> list[Layer]:
    weights = np.fromfile(param.with_suffix(".bin"), np.uint8)
    position, layers = 0, []
    for line in param.read_text(encoding="utf-8").splitlines()[2:]:
        kind, name, inputs, outputs, *rest = line.split()
        first, last = int(inputs), int(inputs) + int(outputs)
        parameters = {int(key): value for key, value in (pair.split("=") for pair in rest[last:])}
        layer = Layer(kind, name, rest[:first], rest[first:last], parameters)
        if kind in WEIGHTED:
            count_key, bias_key, groups_key = WEIGHTED[kind]
            count, rows = int(parameters[count_key]), int(parameters[0])
            if int(weights[position : position + 4].view(np.uint32)[0]) != FLOAT32_TAG:
                raise ValueError(f"the weights of {name} are not float32")
            if groups_key is not None and int(parameters[groups_key]) != rows:
                raise ValueError(
                    f"{name} is a convolution of {parameters[groups_key]} groups; only depthwise ones have scales per"
                    " channel"
                )
            sizes = (count, rows if int(parameters.get(bias_key, 0)) else 0)
            floats = weights[position + 4 : position + 4 + 4 * sum(sizes)].view(np.float32)
            layer.weights, layer.bias = floats[:count].reshape(rows, -1), floats[count:]
            position += 4 + 4 * sum(sizes)
        layers.append(layer)
    if position != len(weights):
        raise ValueError(f"{param}: a layer with weights is none of {', '.join(WEIGHTED)}")
    return layers


def _largest_activations(param: Path, blobs: list[str], shape: tuple[int, ...]) -> dict[str, float]:
    import ncnn

    network = ncnn.Net()
    network.opt.lightmode = False  # else a blob's memory is reused before it is read
    if network.load_param(str(param)) or network.load_model(str(param.with_suffix(".bin"))):
        raise ValueError(f"ncnn cannot load {param}")
    largest = dict.fromkeys(blobs, 1e-30)
    for seed in range(1, 1 + CALIBRATION_SAMPLES):
        x = random_input(shape, seed=seed)[0]
        extractor = network.create_extractor()
        extractor.input(network.input_names()[0], ncnn.Mat(x))
        for blob in blobs:
            largest[blob] = max(largest[blob], float(np.abs(np.array(extractor.extract(blob)[1])).max()))
    return largest


def _feeding_another(layers: list[Layer]) -> dict[str, str]:
    """The convolutions whose readers are all convolutions: name -> the blob that a reader takes."""
    readers: dict[str, list[Layer]] = {}
    for layer in layers:
        for blob in layer.bottoms:
            readers.setdefault(blob, []).append(layer)
    found = {}
    for layer in layers:
        if not layer.type.startswith("Convolution"):
            continue
        blobs = layer.tops
        if [reader.type for reader in readers.get(blobs[0], ())] == ["Split"]:
            blobs = readers[blobs[0]][0].tops
        following = [reader for blob in blobs for reader in readers.get(blob, ())]
        if following and all(reader.type.startswith("Convolution") for reader in following):
            found[layer.name] = blobs[0]
    return found


def _line(layer: Layer) -> str:
    parameters = (f"{key}={value}" for key, value in layer.parameters.items())
    return " ".join(
        [
            layer.type,
            layer.name,
            str(len(layer.bottoms)),
            str(len(layer.tops)),
            *layer.bottoms,
            *layer.tops,
            *parameters,
        ]
    )
