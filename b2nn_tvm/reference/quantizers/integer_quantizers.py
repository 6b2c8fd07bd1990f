"""Quantizers that round to integers: Quant, IntQuant and Trunc of QONNX 1.0 (qonnx.custom_op.general).

    Quant(x, scale, zero, bits)        (round(clamp(x / scale + zero)) - zero) * scale
    Quant of 1 bit, signed             (where(x / scale + zero >= 0, 1, -1) - zero) * scale
    Trunc(x, scale, zero, bits, kept)  (floor(round(x / scale + zero) / 2^(bits - kept)) - zero) * scale
    Trunc of 6 inputs (version 2)      the same for a scale of the result, with clamping

Values are clamped before they are rounded, as in QONNX. One bit takes two values, so it is one comparison with the
exact threshold of the whole chain.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.reference.quantizers.exact_step import exact_threshold
from b2nn_tvm.reference.quantizers.node_builder import NodeBuilder
from b2nn_tvm.reference.quantizers.step_quantizers import put_step

_MOST_BITS = 24  # the whole numbers that float32 has exactly


def quant(build: NodeBuilder) -> None:
    """A uniform quantizer of a fixed number of bits.

    Raises InputError for other inputs or an unknown rounding mode, UnsupportedError for more bits than float32 holds.
    """
    if len(build.node.input) != 4:
        raise InputError(f"it has the inputs x, scale, zero point and bit width, but {len(build.node.input)} came")
    bits = build.whole(3, "bit width")
    signed, narrow = bool(build.attribute("signed", 1)), bool(build.attribute("narrow", 1))
    mode = str(build.attribute("rounding_mode", "ROUND")).upper()
    low, high = _limits(bits, signed=signed, narrow=narrow)
    scale, zero = build.known(1), build.known(2)
    bipolar = bits == 1 and signed
    if (bipolar or high - low == 1) and scale is not None and zero is not None and (scale > 0).all():
        _two_levels(build, scale, zero, mode, bipolar=bipolar, low=-1 if bipolar else low)
        return
    y = build.put("Add", [build.put("Div", [build.x(), build.input(1)]), build.input(2)])
    if bipolar:
        y = build.put("Where", [build.at_least(y, 0.0), 1.0, -1.0])
    else:
        y = put_rounded(build, _clamped(build, y, low, high), mode)
    build.finish("Mul", [build.put("Sub", [y, build.input(2)]), build.input(1)])


def _two_levels(build: NodeBuilder, scale: np.ndarray, zero: np.ndarray, mode: str, *, bipolar: bool, low: int) -> None:
    low_level, high_level = build.dtype.type(low), build.dtype.type(1 if bipolar else low + 1)
    rounded = _ROUNDINGS.get(mode)
    if rounded is None:
        raise InputError(f"rounding_mode is one of {', '.join(_ROUNDINGS)}, not {mode}")

    def is_high(x: np.ndarray) -> np.ndarray:
        y = x / scale + zero
        high: np.ndarray = y >= 0 if bipolar else rounded(np.clip(y, low_level, high_level)) >= high_level
        return high

    scale, zero = np.broadcast_arrays(scale, zero)
    threshold = exact_threshold(is_high, scale.shape, build.dtype)
    put_step(build, threshold, (low_level - zero) * scale, (high_level - zero) * scale)


def trunc(build: NodeBuilder) -> None:
    """The upper bits of integers, which QONNX writes behind average pooling.

    Raises InputError for another number of inputs, UnsupportedError for more bits than float32 holds.
    """
    count = len(build.node.input)
    if count not in (5, 6):
        raise InputError(f"it has 5 inputs, or 6 in version 2, but {count} came")
    scale, mode = build.required(1, "scale"), str(build.attribute("rounding_mode", "FLOOR")).upper()
    y = build.round(build.put("Add", [build.put("Div", [build.x(), scale]), build.input(2)]))
    if count == 5:
        shift = build.dtype.type(2.0 ** (build.whole(3, "bit width") - build.whole(4, "output bit width")))
        y = put_rounded(build, build.put("Div", [y, shift]), mode)
        build.finish("Mul", [build.put("Sub", [y, build.input(2)]), scale])
        return
    kept = build.required(4, "output scale")
    shift = np.exp2(np.round(np.log2(kept / scale))).astype(build.dtype)
    signed, narrow = bool(build.attribute("signed", 1)), bool(build.attribute("narrow", 0))
    limits = _limits(build.whole(5, "output bit width"), signed=signed, narrow=narrow)
    y = put_rounded(build, _clamped(build, build.put("Div", [y, shift]), *limits), mode)
    build.finish("Mul", [build.put("Sub", [y, build.put("Div", [build.input(2), shift])]), kept])


def _limits(bits: int, *, signed: bool, narrow: bool) -> tuple[int, int]:
    if bits > _MOST_BITS:
        raise UnsupportedError(f"its bit width is at most {_MOST_BITS}, not {bits}")
    if signed:
        return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow


def _clamped(build: NodeBuilder, y: str, low: int, high: int) -> str:
    return build.put("Max", [build.put("Min", [y, float(high)]), float(low)])


def put_rounded(build: NodeBuilder, y: str, mode: str) -> str:
    """``y`` rounded in one of QONNX's modes; raises InputError, with the modes, for another one."""
    half = 0.5
    if mode in ("ROUND", "HALF_EVEN"):
        return build.round(y)
    if mode in ("CEIL", "FLOOR"):
        return build.put(mode.capitalize(), [y])
    by_side = {
        "UP": (("Floor", 0.0), ("Ceil", 0.0)),
        "DOWN": (("Ceil", 0.0), ("Floor", 0.0)),
        "HALF_UP": (("Ceil", -half), ("Floor", half)),
        "HALF_DOWN": (("Floor", half), ("Ceil", -half)),
    }
    if mode not in by_side:
        raise InputError(f"rounding_mode is one of {', '.join(_ROUNDINGS)}, not {mode}")
    below, above = (build.put(op, [build.put("Add", [y, shift]) if shift else y]) for op, shift in by_side[mode])
    return build.put("Where", [build.put("Less", [y, build.constant(0.0)]), below, above])


_ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.trunc,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + x.dtype.type(0.5)),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - x.dtype.type(0.5)),
}
