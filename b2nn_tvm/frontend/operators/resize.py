"""Resize: along one axis after the other, selected pixels (nearest) or weighted sums of selected pixels.

The selections and weights are computed at import (resize_taps.py), for every mode, scale and rank. TVM's own operator
takes scales for the ratio of both sizes, which is another number where a scale is not whole (apache/tvm issues 18133,
19500 and 19570).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tvm import relax

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.operators.node import Attrs, Inputs, const, dtype_of, given, sizes, word
from b2nn_tvm.frontend.operators.resize_taps import ResizeMode, Taps, resize_taps
from b2nn_tvm.relax_query import constant


def resize(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """Resize by constant scales or to constant sizes. Raises UnsupportedError for other ones."""
    x = inputs[0]
    how = ResizeMode(
        mode=word(attrs, "mode", "nearest"),
        coordinates=word(attrs, "coordinate_transformation_mode", "half_pixel"),
        nearest=word(attrs, "nearest_mode", "round_prefer_floor"),
        cubic=float(attrs.get("cubic_coeff_a", -0.75)),
        exclude_outside=bool(attrs.get("exclude_outside", 0)),
        antialias=bool(attrs.get("antialias", 0)),
    )
    before = sizes(x)
    axes = [int(axis) % len(before) for axis in attrs.get("axes") or range(len(before))]
    scales, after = _target(inputs, attrs, [before[axis] for axis in axes])
    regions = _regions(given(inputs, 1), len(axes), how)
    kind = dtype_of(x)
    if how.mode != "nearest" and not kind.startswith("float"):
        raise UnsupportedError(f"interpolation of {kind} is not supported; cast its input to float")
    if how.mode != "nearest" and kind == "float16":
        x = bb.emit(relax.op.astype(x, "float32"))
    found = {
        axis: resize_taps(how, before[axis], out, scale, region)
        for axis, out, scale, region in zip(axes, after, scales, regions, strict=True)
    }
    taps = {axis: own for axis, own in sorted(found.items()) if not own.is_copy(before[axis])}
    result = _repeated(x, taps)
    if result is None:
        result = _combined(bb, x, taps, float(attrs.get("extrapolation_value", 0.0)))
    return relax.op.astype(bb.emit(result), kind) if dtype_of(x) != kind else result


def _target(inputs: Inputs, attrs: Attrs, lengths: Sequence[int]) -> tuple[list[float], list[int]]:
    """The scales and the sizes of the axes that are named."""
    scales, wanted = (None if expr is None else constant(expr) for expr in (given(inputs, 2), given(inputs, 3)))
    if scales is not None and scales.size:
        factors = [float(scale) for scale in scales]
        return factors, [
            int(np.float32(scale) * np.float32(size)) for scale, size in zip(factors, lengths, strict=True)
        ]
    if wanted is None:
        raise UnsupportedError("its scales or sizes are no constants; only static shapes can be compiled")
    policy = word(attrs, "keep_aspect_ratio_policy", "stretch")
    ratios = [int(out) / size for out, size in zip(wanted, lengths, strict=True)]
    if policy == "stretch":
        return ratios, [int(out) for out in wanted]
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return [ratio] * len(lengths), [int(np.floor(ratio * size + 0.5)) for size in lengths]


def _regions(roi: relax.Expr | None, count: int, how: ResizeMode) -> list[tuple[float, float]]:
    if how.coordinates != "tf_crop_and_resize":
        return [(0.0, 1.0)] * count
    value = None if roi is None else constant(roi)
    if value is None or value.size != 2 * count:
        raise UnsupportedError("tf_crop_and_resize needs its region roi as a constant")
    return [(float(start), float(end)) for start, end in zip(value[:count], value[count:], strict=True)]


def _repeated(x: relax.Expr, taps: dict[int, Taps]) -> relax.Expr | None:
    """Images whose pixels are repeated a whole number of times: TVM's operator does it in any layout."""
    before = sizes(x)
    if len(before) != 4 or not taps or min(taps) < 2:
        return None
    after = [len(taps[axis].indices) if axis in taps else before[axis] for axis in (2, 3)]
    for axis, own in taps.items():
        times, rest = divmod(len(own.indices), before[axis])
        whole = own.selects and not own.outside.any() and not rest
        if not whole or not np.array_equal(own.indices[:, 0], np.arange(before[axis]).repeat(times)):
            return None
    return relax.op.image.resize2d(
        x,
        relax.ShapeExpr(after),
        layout="NCHW",
        method="nearest_neighbor",
        coordinate_transformation_mode="asymmetric",
        rounding_method="floor",
    )


def _combined(bb: relax.BlockBuilder, x: relax.Expr, taps: dict[int, Taps], extrapolation: float) -> relax.Expr:
    result, rank = x, len(sizes(x))
    for axis, own in taps.items():
        full = [1] * rank
        full[axis] = len(own.indices)
        terms = []
        for indices, weights in zip(own.indices.T, own.weights.T, strict=True):
            term = bb.emit(relax.op.take(result, const(np.ascontiguousarray(indices)), axis, mode="clip"))
            if not own.selects:
                term = bb.emit(relax.op.multiply(term, const(np.ascontiguousarray(weights).reshape(full))))
            terms.append(term)
        result = terms[0]
        for term in terms[1:]:
            result = bb.emit(relax.op.add(result, term))
    for axis, own in taps.items():
        if own.outside.any():
            full = [1] * rank
            full[axis] = len(own.indices)
            value = const(np.array(extrapolation, dtype_of(x)))
            result = bb.emit(relax.op.where(const(own.outside.reshape(full)), value, result))
    return result
