"""Recognise convolutions and dense layers of a few bits: activations of few levels, weights of few whole numbers.

What comes out of any quantizer (QONNX's Quant and MultiThreshold, QuantizeLinear and Clip as Brevitas writes them,
FINN's scaled thresholds, round(x * n) / n of DoReFa) is known by its values alone; so are the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tvm import relax

from b2nn_tvm.costs.eligibility import FEWEST_GROUP_CHANNELS
from b2nn_tvm.passes.patterns.code_steps import Levels, levels_of
from b2nn_tvm.passes.patterns.possible_values import PossibleValues
from b2nn_tvm.passes.patterns.sign_patterns import (
    has_binary_groups,
    match_pad,
    oihw,
    spatial_axes,
)
from b2nn_tvm.passes.patterns.step_function import step_function
from b2nn_tvm.passes.patterns.weight_planes import WeightPlanes, weight_planes
from b2nn_tvm.relax_query import Definition, constant, dtype, four, op_name, shape

_EXACT_IN_FLOAT32 = 2**24  # the whole numbers up to here
# A float layer takes as long as 5 to 17 binary ones: 7 for a 3x3 convolution on AVX2, 10 on a Cortex-A72.
MOST_PAIRS = 8


@dataclass(frozen=True, eq=False)
class BitserialLayer:
    """A layer of ``image``, which has ``levels``, by ``weights``; ``padding`` is (top, left, bottom, right) pixels with
    ``pad_code``, or of zeros between two codes, -1/2 * step and +1/2 * step, where that is None.
    """

    image: relax.Expr
    levels: Levels
    weights: WeightPlanes
    padding: tuple[int, int, int, int]
    pad_code: int | None

    @property
    def word(self) -> str:
        """The precision in one word: w1a2 is weights of 1 bit by activations of 2 bits."""
        return f"w{self.weights.bits}a{self.levels.bits}"


@dataclass(frozen=True)
class Obstacle:
    """Why a layer of few levels is not computed in bits."""

    reason: str


def match_bitserial(
    call: relax.Call, definition: Definition, possible: PossibleValues
) -> BitserialLayer | Obstacle | None:
    """The parts of a layer of a few bits; an Obstacle where its input alone has few levels, or something else is in the
    way; None for all other calls, and for binary layers.
    """
    name = op_name(call)
    if name not in ("relax.nn.conv2d", "relax.matmul") or dtype(call) != "float32" or not shape(call):
        return None
    weight, pad = constant(call.args[1]), match_pad(definition(call.args[0]))
    if weight is None or weight.ndim != (4 if name == "relax.nn.conv2d" else 2):
        return None
    if name == "relax.matmul":
        rows, padding, pad = np.ascontiguousarray(weight.T), (0, 0, 0, 0), None
    else:
        rows, padding = oihw(weight, str(call.attrs.kernel_layout)), four(call.attrs.padding)
    planes = weight_planes(rows)
    if planes is None:
        return None
    image = call.args[0] if pad is None else pad.data
    levels = levels_of(possible.few(image))
    if levels is None or (levels.bits, planes.bits) == (1, 1) or (planes.bits == 1 and _is_sign(image, definition)):
        return None
    described = f"its input has {levels.bits} bits and its weights {planes.bits}"
    if name == "relax.nn.conv2d" and not has_binary_groups(call):
        return Obstacle(
            f"{described}, but its groups are narrower than {FEWEST_GROUP_CHANNELS} channels, from which on popcounts "
            "pay"
        )
    pairs = len(planes.planes) * levels.bits
    if pairs > MOST_PAIRS:
        return Obstacle(f"{described}: {pairs} binary convolutions, one for each pair of planes, would take longer")
    if rows[0].size * planes.reach * 2**levels.bits >= _EXACT_IN_FLOAT32:
        return Obstacle(f"{described}, but a sum of {rows[0].size} products is not exact in float32")
    if pad is None:
        return _padded(image, levels, planes, padding, 0.0, described)
    height, width = spatial_axes(str(call.attrs.data_layout))
    if any(padding) or any(any(widths) for axis, widths in enumerate(pad.widths) if axis not in (height, width)):
        return Obstacle(f"{described}, but it is padded twice, or along the batch or the channels")
    (top, bottom), (left, right) = pad.widths[height], pad.widths[width]
    return _padded(image, levels, planes, (top, left, bottom, right), pad.value, described)


def _is_sign(image: relax.Expr, definition: Definition) -> bool:
    """Whether a tensor has a third value at a single point, as Sign has at 0: its layer is meant to be binary."""
    step = step_function(image, definition)
    return step is not None and not step.exact and step.narrow


def _padded(
    image: relax.Expr,
    levels: Levels,
    planes: WeightPlanes,
    padding: tuple[int, int, int, int],
    value: float,
    described: str,
) -> BitserialLayer | Obstacle:
    code = levels.code(value)
    if not any(padding) or code is not None:
        return BitserialLayer(image, levels, planes, padding, 0 if code is None else code)
    if value or levels.centre or planes.rest:
        return Obstacle(f"{described}, but it is padded with {value:g}, which is none of its input's levels")
    return BitserialLayer(image, levels, planes, padding, None)
