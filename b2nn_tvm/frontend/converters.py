"""The converters to Relax of the ONNX operators that TVM does not know, or that we need in another form.

All other operators are imported by TVM's own converters. ``converters`` installs ours for the duration of one import
only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import tvm
from tvm import relax

from b2nn_tvm.errors import B2nnError, UnsupportedError
from b2nn_tvm.frontend.binary_converters import binary_conv2d, sign, weight_binary_conv2d
from b2nn_tvm.frontend.operators.col2im import col2im
from b2nn_tvm.frontend.operators.conv import conv
from b2nn_tvm.frontend.operators.conv_transpose import conv_transpose
from b2nn_tvm.frontend.operators.depth import space_to_depth
from b2nn_tvm.frontend.operators.elementwise import (
    cast,
    clip,
    dropout,
    elu,
    expand,
    is_inf,
    mean,
    pairwise,
    prelu,
    selu,
)
from b2nn_tvm.frontend.operators.indexing import gather, gather_elements, gather_nd, one_hot
from b2nn_tvm.frontend.operators.integers import bit_shift, div, mod, power
from b2nn_tvm.frontend.operators.node import Attrs, Converter, Inputs
from b2nn_tvm.frontend.operators.normalization import batch_norm, layer_norm, lp_norm, rms_norm
from b2nn_tvm.frontend.operators.pad import pad
from b2nn_tvm.frontend.operators.pooling import pool_padding
from b2nn_tvm.frontend.operators.products.dense_rows import matmul
from b2nn_tvm.frontend.operators.products.einsum import einsum
from b2nn_tvm.frontend.operators.reduction import cumulative, reduce_bools, top_k
from b2nn_tvm.frontend.operators.resize import resize
from b2nn_tvm.frontend.operators.roi_align import roi_align
from b2nn_tvm.frontend.operators.scatter import scatter_elements, scatter_nd
from b2nn_tvm.tvm_internals.block_builder import end_block
from b2nn_tvm.tvm_internals.converter_table import ConverterTable, OnnxConverter, replaced_converters, stock_converters

_TYPES = {"bool"} | {f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
_TYPES |= {f"float{bits}" for bits in (16, 32, 64)}


@contextmanager
def converters(sign_zero: str | None, record: Callable[[str, str, Inputs, Attrs, relax.Expr], None]) -> Iterator[None]:
    """Within this context, TVM's ONNX importer uses our converters, and names the node in its errors.

    ``record(node name, op type, inputs, attributes, result)`` is called for every node in graph order.
    """
    own: dict[str, Converter] = {
        "AveragePool": pool_padding,
        "BatchNormalization": batch_norm,
        "BinaryConv2d": binary_conv2d,
        "BitShift": bit_shift,
        "Cast": cast,
        "Clip": clip,
        "Col2Im": col2im,
        "Conv": conv,
        "ConvTranspose": conv_transpose,
        "CumProd": cumulative(relax.op.multiply, 1),
        "CumSum": cumulative(relax.op.add, 0),
        "Div": div,
        "Dropout": dropout,
        "Einsum": einsum,
        "Elu": elu,
        "Expand": expand,
        "Gather": gather,
        "GatherElements": gather_elements,
        "GatherND": gather_nd,
        "IsInf": is_inf,
        "LayerNormalization": layer_norm,
        "LpNormalization": lp_norm,
        "MatMul": matmul,
        "Max": pairwise(relax.op.maximum),
        "MaxPool": pool_padding,
        "Mean": mean,
        "Min": pairwise(relax.op.minimum),
        "Mod": mod,
        "OneHot": one_hot,
        "PRelu": prelu,
        "Pad": pad,
        "Pow": power,
        "RMSNormalization": rms_norm,
        "ReduceMax": reduce_bools(relax.op.max),
        "ReduceMin": reduce_bools(relax.op.min),
        "Resize": resize,
        "RoiAlign": roi_align,
        "ScatterElements": scatter_elements,
        "ScatterND": scatter_nd,
        "Selu": selu,
        "Sign": sign(sign_zero),
        "SpaceToDepth": space_to_depth,
        "Sum": pairwise(relax.op.add),
        "TopK": top_k,
        "WeightBinaryConv2d": weight_binary_conv2d,
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
        "Col2Im",
        "Constant",
        "CumProd",
        "LpNormalization",
        "WeightBinaryConv2d",
    }


class _Converter:
    """One entry of the importer's table: our converter if it applies, else TVM's."""

    def __init__(
        self,
        op: str,
        own: Converter | None,
        stock: OnnxConverter | None,
        record: Callable[[str, str, Inputs, Attrs, relax.Expr], None],
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
                    result = bb.emit(result, name_hint=node)  # emitted now, so that the order of the file is kept
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
            self._record(node, self._op, inputs, attrs, result)
            return result

        return convert


def _check_static(result: relax.Expr) -> None:
    fields = [getattr(field, "ty", None) for field in (result if isinstance(result, relax.Tuple) else [result])]
    for ty in fields[0].fields if isinstance(fields[0], relax.TupleType) else fields:
        if isinstance(ty, relax.TensorType):
            if str(ty.dtype) not in _TYPES:
                raise UnsupportedError(
                    f"its output is of the type {ty.dtype}; float16, float, double, bool and integers of 8 to 64 bits "
                    "can be compiled"
                )
            dims = ty.shape
            if dims is not None and any(isinstance(d, tvm.tirx.IntImm) and int(d) == 0 for d in dims):
                raise UnsupportedError("its output has no elements; leave it out of the model")
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
