"""Generated 8-bit layers side by side in one network, and the sums that they have to give.

All scales are 1, so that the outputs are the sums themselves, as floats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx

from b2nn_tvm.reference.int8 import LARGEST_SUM, int8_conv2d
from tests.support.networks.onnx_models import model

WEIGHTS = ("any", "any", "any", "largest", "least", "mixed")
# The codes of an image: the corners may saturate what is no int32.
IMAGES = ("any", "any other", "highest", "lowest", "either", "near the zero point")


@dataclass(frozen=True)
class Int8Layer:
    """Weights [O, C / groups, kh, kw] of a convolution, or of a dense layer, and the ``shape`` [N, C, H, W] of the
    image that it reads: codes of the type of ``zero``, their zero point.
    """

    weight: np.ndarray
    shape: tuple[int, int, int, int]
    zero: np.integer
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    dense: bool = False

    def image(self, kind: str, rng: np.random.Generator) -> np.ndarray:
        """Codes of one of the kinds of IMAGES."""
        low, high, zero = np.iinfo(self.zero.dtype).min, np.iinfo(self.zero.dtype).max, int(self.zero)
        corners = {"highest": [high], "lowest": [low], "either": [low, high]}
        near = np.clip([zero - 1, zero, zero + 1], low, high)
        choices = corners.get(kind, near if kind.startswith("near") else np.arange(low, high + 1))
        return rng.choice(choices, self.shape).astype(self.zero.dtype)

    def sums(self, codes: np.ndarray) -> np.ndarray:
        """int32, of the definition."""
        geometry = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}
        return int8_conv2d(codes, self.weight, zero=int(self.zero), **geometry)


def draw_layers(seed: int, count: int) -> list[Int8Layer]:
    """So many layers of all kinds: plain, with groups, depthwise and dense, one of them with the largest sums."""
    rng = np.random.default_rng(seed)
    draws = (_convolution, _convolution, _grouped, _depthwise, _depthwise, _dense)
    return [*(draws[index % len(draws)](rng) for index in range(count - 1)), _largest(rng)]


def network(layers: list[Int8Layer]) -> onnx.ModelProto:
    """Each layer with an input of codes x0, x1, ... and an output y0, y1, ... of its own."""
    nodes, constants, inputs, outputs = [], {"one": np.float32(1)}, [], []
    for index, layer in enumerate(layers):
        weight = layer.weight[:, :, 0, 0] if layer.dense else layer.weight
        constants |= {f"w{index}": weight, f"z{index}": layer.zero, f"s{index}": np.ones(len(weight), np.float32)}
        attributes = (
            f"strides = {list(layer.stride)}, pads = {list(layer.padding)}, dilations = {list(layer.dilation)}, "
            f"group = {layer.groups}"
        )
        call = "Gemm <transB = 1>" if layer.dense else f"Conv <{attributes}>"
        nodes.append(f"""d{index} = DequantizeLinear (x{index}, one, z{index})
            f{index} = DequantizeLinear <axis = 0> (w{index}, s{index})
            y{index} = {call} (d{index}, f{index})""")
        shape = layer.shape[:2] if layer.dense else layer.shape
        inputs.append(f"{layer.zero.dtype}[{','.join(map(str, shape))}] x{index}")
        outputs.append(f"float y{index}")
    return model("\n".join(nodes), constants, inputs=", ".join(inputs), outputs=", ".join(outputs))


def runs(layers: list[Int8Layer], seed: int) -> Iterator[tuple[str, dict[str, np.ndarray], dict[str, np.ndarray]]]:
    """Images of each kind, and the outputs that they have to give, as float32."""
    rng = np.random.default_rng(seed)
    for kind in IMAGES:
        images = [layer.image(kind, rng) for layer in layers]
        expected = [layer.sums(image).astype(np.float32) for layer, image in zip(layers, images, strict=True)]
        flat = lambda layer, array: array[:, :, 0, 0] if layer.dense else array
        yield (
            kind,
            {f"x{index}": flat(layer, image) for index, (layer, image) in enumerate(zip(layers, images, strict=True))},
            {f"y{index}": flat(layer, sums) for index, (layer, sums) in enumerate(zip(layers, expected, strict=True))},
        )


def _convolution(rng: np.random.Generator) -> Int8Layer:
    channels, outputs = _pick(rng, 1, 3, 4, 16, 31, 33, 64), _pick(rng, 1, 3, 8, 16, 31, 33, 65)
    return _layer(rng, channels, outputs, 1)


def _grouped(rng: np.random.Generator) -> Int8Layer:
    groups = _pick(rng, 2, 3, 4, 8, 16)
    return _layer(rng, groups * _pick(rng, 1, 2, 4, 5), groups * _pick(rng, 1, 2, 4, 11, 16), groups)


def _depthwise(rng: np.random.Generator) -> Int8Layer:
    channels = _pick(rng, 2, 8, 16, 24, 31, 48, 64, 72, 144)
    return _layer(rng, channels, channels, channels)


def _layer(rng: np.random.Generator, channels: int, outputs: int, groups: int) -> Int8Layer:
    kernel = (_pick(rng, 1, 2, 3, 3, 5, 7), _pick(rng, 1, 3, 3, 4, 5))
    dilation = (_pick(rng, 1, 1, 2, 3), _pick(rng, 1, 1, 2, 3))
    size = [(taps - 1) * gap + 1 + int(rng.integers(0, 10)) for taps, gap in zip(kernel, dilation, strict=True)]
    return Int8Layer(
        _weights(rng, (outputs, channels // groups, *kernel)),
        (_pick(rng, 1, 1, 1, 2), channels, *size),
        _zero(rng),
        (_pick(rng, 1, 1, 2, 3), _pick(rng, 1, 1, 2, 3)),
        tuple(int(rng.integers(0, 3)) for _ in range(4)),
        dilation,
        groups,
    )


def _dense(rng: np.random.Generator) -> Int8Layer:
    inputs = _pick(rng, 1, 7, 32, 65, 512)
    weight = _weights(rng, (_pick(rng, 1, 10, 16, 100), inputs, 1, 1))
    return Int8Layer(weight, (_pick(rng, 1, 1, 3), inputs, 1, 1), _zero(rng), dense=True)


def _largest(rng: np.random.Generator) -> Int8Layer:
    """As many weights of the largest magnitude as int32 can take."""
    inputs = LARGEST_SUM // (255 * 127)
    weight = np.where(rng.random((3, 1, 1, 1)) < 0.5, -127, 127) + np.zeros((3, inputs, 1, 1), int)
    weight[:, 0] = 126  # weights of one magnitude would be bits
    zero = np.uint8(_pick(rng, 0, 255))
    return Int8Layer(weight.astype(np.int8), (1, inputs, 1, 1), zero, dense=True)


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    kind = _pick(rng, *WEIGHTS)
    choices = {"any": np.arange(-128, 128), "largest": [127], "least": [-128], "mixed": [-128, 127]}
    weight = rng.choice(choices[kind], shape).astype(np.int8)
    weight.reshape(len(weight), -1)[:, 0] = 126  # weights of one magnitude would be bits
    return weight


def _zero(rng: np.random.Generator) -> np.integer:
    kind = _pick(rng, np.uint8, np.uint8, np.int8)
    bounds = np.iinfo(kind)
    return kind(_pick(rng, bounds.min, bounds.max, 0, int(rng.integers(bounds.min, bounds.max + 1))))


def _pick(rng: np.random.Generator, *choices):
    return choices[rng.integers(len(choices))]
