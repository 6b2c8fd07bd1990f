"""The converters to Relax of the ONNX operators that TVM does not know, or that we need in another form.

All other operators are imported by TVM's own converters. ``converters`` installs ours for the duration of one import
only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.errors import B2nnError, InputError, UnsupportedError
from b2nn_tvm.frontend.binary_converters import (
    Attrs,
    Converter,
    Inputs,
    binary_conv2d,
    constant,
    sign,
    weight_binary_conv2d,
)
from b2nn_tvm.tvm_internals.block_builder import end_block
from b2nn_tvm.tvm_internals.converter_table import ConverterTable, OnnxConverter, replaced_converters, stock_converters

# The operators that TVM computes by calls into its own runtime, or by loops that no schedule fits.
_WITHOUT_KERNEL = (
    "AllClassNMS",
    "CumSum",
    "MaxUnpool",
    "NonMaxSuppression",
    "Scatter",
    "ScatterElements",
    "ScatterND",
    "TopK",
)


@contextmanager
def converters(sign_zero: str | None, record: Callable[[str, str, Inputs, Attrs], None]) -> Iterator[None]:
    """Within this context, TVM's ONNX importer uses our converters, and names the node in its errors.

    ``record(node name, op type, inputs, attributes)`` is called for every node in graph order.
    """
    own: dict[str, Converter] = {
        "AveragePool": _pool_padding,
        "BatchNormalization": _batch_norm,
        "BinaryConv2d": binary_conv2d,
        "Clip": _clip,
        "Conv": _conv,
        "ConvTranspose": _conv_transpose,
        "Dropout": _dropout,
        "Max": _pairwise(relax.op.maximum),
        "MaxPool": _pool_padding,
        "Min": _pairwise(relax.op.minimum),
        "PRelu": _prelu,
        "Pad": _pad,
        "Sign": sign(sign_zero),
        "Sum": _pairwise(relax.op.add),
        "WeightBinaryConv2d": weight_binary_conv2d,
        **dict.fromkeys(_WITHOUT_KERNEL, _refuse),
    }
    interrupted: list[relax.BlockBuilder] = []

    def table(stock: ConverterTable) -> ConverterTable:
        return {op: _Converter(op, own.get(op), stock.get(op), record, interrupted) for op in {*stock, *own}}

    try:
        with replaced_converters(table):
            yield
    finally:
        for builder in interrupted:
            end_block(builder)


def known_ops() -> frozenset[str]:
    """The op types that can be imported."""
    return frozenset(stock_converters()) | {
        "BinaryConv2d",
        "Constant",
        "WeightBinaryConv2d",
    }


class _Converter:
    """One entry of the importer's table: our converter if it applies, else TVM's."""

    def __init__(
        self,
        op: str,
        own: Converter | None,
        stock: OnnxConverter | None,
        record: Callable[[str, str, Inputs, Attrs], None],
        interrupted: list[relax.BlockBuilder],
    ):
        self._op, self._own, self._stock, self._record, self._interrupted = op, own, stock, record, interrupted

    def get_converter(self, opset: int) -> Callable[..., relax.Expr]:
        stock = self._stock.get_converter(opset) if self._stock is not None else _refuse

        def convert(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs, params: Any) -> relax.Expr:
            node = attrs["tvm_custom"]["name"]
            try:
                result = self._own(bb, inputs, attrs) if self._own else None
                if result is None:
                    result = stock(bb, inputs, attrs, params)
                if isinstance(result, relax.Call):
                    result = bb.emit(result)  # emitted now, so that the order of the file is kept
                _check_static(result)
                _check_count(result, attrs["tvm_custom"]["num_outputs"])
            except B2nnError as error:
                self._interrupted.append(bb)
                raise type(error)(f"node {node!r} ({self._op}): {error}") from None
            except Exception as error:
                self._interrupted.append(bb)
                first = str(error).strip().splitlines()[:1] or [type(error).__name__]
                raise UnsupportedError(
                    f"node {node!r} ({self._op}) cannot be imported: {first[0]}; simplify the model (for example with "
                    "onnxsim) or export it with another opset"
                ) from error
            self._record(node, self._op, inputs, attrs)
            return result

        return convert


def _check_static(result: relax.Expr) -> None:
    for field in result if isinstance(result, relax.Tuple) else [result]:
        ty = getattr(field, "ty", None)
        if isinstance(ty, relax.TensorType):
            dims = ty.shape
            if dims is None or not all(isinstance(d, tvm.tirx.IntImm) for d in dims):
                raise UnsupportedError("the shape of its output depends on values; only static shapes can be compiled")


def _check_count(result: relax.Expr, wanted: int) -> None:
    if wanted > 1 and isinstance(getattr(result, "ty", None), relax.TensorType):
        raise UnsupportedError(
            f"only the first of its {wanted} outputs can be compiled; export the model without the others"
        )


def _refuse(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs, params: Any = None) -> NoReturn:
    raise UnsupportedError(
        "there is no kernel for it in a library; end the network before it, and compute it on the outputs"
    )


def _dropout(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """Dropout does nothing in inference: it gives the input, and a mask of ones where the node has a second output."""
    training = constant(inputs[2]) if len(inputs) > 2 and inputs[2] is not None else np.zeros(1)
    if training is None or training.any():
        raise UnsupportedError("dropout in training mode; export the model in inference mode (model.eval())")
    if attrs["tvm_custom"]["num_outputs"] == 1:
        return inputs[0]
    return relax.Tuple([inputs[0], relax.const(np.ones([int(d) for d in inputs[0].ty.shape], bool))])


def _pairwise(operator: Callable[[relax.Expr, relax.Expr], relax.Expr]) -> Converter:
    """Max, Min and Sum of any number of inputs as a chain of binary operators, which broadcast by themselves."""

    def convert(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
        result = inputs[0]
        for other in inputs[1:]:
            result = bb.emit(operator(result, other))
        return result

    return convert


def _clip(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    bounds = [attrs.get("min"), attrs.get("max")]
    for position in (1, 2):
        if len(inputs) > position and inputs[position] is not None:
            value = constant(inputs[position])
            if value is None:
                return None
            bounds[position - 1] = value.item()
    dtype, result = str(inputs[0].ty.dtype), inputs[0]
    for operator, bound in zip((relax.op.maximum, relax.op.minimum), bounds):
        if bound is not None and not np.isnan(bound):  # onnxruntime takes NaN for unbounded
            result = bb.emit(operator(result, relax.const(np.array(bound, dtype))))
    return result


def _prelu(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    slope = constant(inputs[1])
    if slope is None or slope.size != 1:
        return None
    return relax.op.nn.leakyrelu(inputs[0], float(slope.item()))


def _pad(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """Constant padding with known widths as nn.pad; any other padding is left to TVM."""
    rank = len(inputs[0].ty.shape)
    if attrs.get("mode", b"constant") != b"constant":
        return None
    pads, value = attrs.get("pads"), attrs.get("value", 0.0)
    axes: Sequence[int] | np.ndarray | None = range(rank)
    if pads is None:
        pads = constant(inputs[1])
        if len(inputs) > 2 and inputs[2] is not None:
            value = constant(inputs[2])
        if len(inputs) > 3 and inputs[3] is not None:
            axes = constant(inputs[3])
    if pads is None or value is None or axes is None or min(pads) < 0 or str(inputs[0].ty.dtype) != "float32":
        return None
    widths = [0] * (2 * rank)
    for position, axis in enumerate(int(axis) % rank for axis in axes):
        widths[2 * axis], widths[2 * axis + 1] = int(pads[position]), int(pads[position + len(axes)])
    return relax.op.nn.pad(inputs[0], widths, "constant", float(np.asarray(value).item()))


def _conv(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """2-D convolutions with explicit padding, and the bias as an addition of [1, O, 1, 1]."""
    x, weight = inputs[0], inputs[1]
    if len(x.ty.shape) != 4:
        return None
    strides = tuple(attrs.get("strides", (1, 1)))
    dilations = tuple(attrs.get("dilations", (1, 1)))
    kernel = [int(d) for d in list(weight.ty.shape)[2:]]
    pads = explicit_padding(attrs, [int(d) for d in list(x.ty.shape)[2:]], kernel, strides, dilations)
    conv = bb.emit(
        relax.op.nn.conv2d(
            x, weight, strides, pads, dilations, attrs.get("group", 1), data_layout="NCHW", kernel_layout="OIHW"
        )
    )
    if len(inputs) < 3 or inputs[2] is None:
        return conv
    bias = constant(inputs[2])
    full = relax.op.reshape(inputs[2], (1, -1, 1, 1)) if bias is None else relax.const(bias.reshape(1, -1, 1, 1))
    return relax.op.add(conv, full)


def _conv_transpose(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> None:
    """Transposed convolutions are left to TVM, except where they have output_shape, which TVM ignores."""
    if attrs.get("output_shape"):
        raise UnsupportedError(
            "its attribute output_shape is not supported; give its padding as pads and output_padding instead"
        )


def explicit_padding(
    attrs: Attrs, sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """The padding of a convolution or pooling over ``sizes`` in ONNX's order: all pixels before, then all after."""
    mode = attrs.get("auto_pad", b"NOTSET").decode()
    if mode == "NOTSET":
        return list(attrs.get("pads", (0, 0, 0, 0)))
    if mode == "VALID":
        return [0] * (2 * len(sizes))
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise InputError(f"auto_pad is NOTSET, VALID, SAME_UPPER or SAME_LOWER, not {mode!r}")
    before, after = [], []
    for size, taps, stride, dilation in zip(sizes, kernel, strides, dilations):
        total = max(0, (-(-size // stride) - 1) * stride + dilation * (taps - 1) + 1 - size)
        small, large = total // 2, total - total // 2
        before.append(small if mode == "SAME_UPPER" else large)
        after.append(large if mode == "SAME_UPPER" else small)
    return before + after


def _pool_padding(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> None:
    """Pooling is left to TVM, except for auto_pad, for which TVM computes a wrong shape: it is replaced by explicit
    pads.
    """
    if attrs.get("auto_pad", b"NOTSET") != b"NOTSET":
        kernel = attrs["kernel_shape"]
        sizes = [int(d) for d in list(inputs[0].ty.shape)[2:]]
        ones = (1,) * len(kernel)
        attrs["pads"] = explicit_padding(attrs, sizes, kernel, attrs.get("strides", ones), attrs.get("dilations", ones))
        del attrs["auto_pad"]


def _batch_norm(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """Batch norm with constant statistics as one multiplication and one addition, computed in float64."""
    if attrs.get("training_mode", 0):
        raise UnsupportedError("batch norm in training mode; export the model in inference mode (model.eval())")
    constants = [c for expr in inputs[1:5] if (c := constant(expr)) is not None]
    if len(constants) < 4 or str(inputs[0].ty.dtype) != "float32":
        return None
    gamma, beta, mean, variance = (c.astype(np.float64) for c in constants)
    scale = gamma / np.sqrt(variance + attrs.get("epsilon", 1e-5))
    full = (1, -1) + (1,) * (len(inputs[0].ty.shape) - 2)
    scaled = bb.emit(relax.op.multiply(inputs[0], relax.const(scale.astype(np.float32).reshape(full))))
    return relax.op.add(scaled, relax.const((beta - mean * scale).astype(np.float32).reshape(full)))
