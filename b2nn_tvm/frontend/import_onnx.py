"""Import an ONNX file to Relax: one function "main" in NCHW with its constants inline, and the names of its layers."""

from __future__ import annotations

import contextlib
import io
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
import tvm
from tvm import relax

from b2nn_tvm.errors import B2nnError, InputError, UnsupportedError
from b2nn_tvm.frontend.checks.check_operators import check_operators
from b2nn_tvm.frontend.checks.check_types import check_types
from b2nn_tvm.frontend.checks.check_weights import check_weights
from b2nn_tvm.frontend.converters import converters, known_ops
from b2nn_tvm.frontend.expand_functions import expand_functions
from b2nn_tvm.frontend.fold_constants import fold_constants
from b2nn_tvm.frontend.operators.products.dense_rows import dense_rows
from b2nn_tvm.frontend.read_onnx import load_model
from b2nn_tvm.frontend.refuse_empty import refuse_empty
from b2nn_tvm.frontend.static_shapes import input_shapes as static_shapes
from b2nn_tvm.preprocess.onnx_metadata import UNKNOWN, Meaning, read_meaning
from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest
from b2nn_tvm.relax_query import calls, constant, dtype, op_name, shape
from b2nn_tvm.tvm_internals.onnx_importer import import_unchecked

SIGN_ZERO = ("+1", "-1")
_GIVEN_BY_TVM = re.compile(r"(lv|gv)[0-9]*")  # names of variables that passes give, too


@dataclass(frozen=True)
class ImportedModel:
    """A network in Relax. ``layers`` are its 2-D convolutions and dense layers in graph order; ``nodes`` are the words
    for nodes of the file, "'conv1' (Conv)", by the names of the variables that hold their results; ``meaning`` is what
    the metadata of the file says of its data.
    """

    module: tvm.IRModule
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    layers: tuple[NamedLayer, ...]
    nodes: Mapping[str, str] = field(default_factory=dict)
    meaning: Meaning = UNKNOWN

    @property
    def inputs(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """The element type and the shape of each input by name."""
        return {name: (dtype(each), shape(each)) for name, each in zip(self.input_names, self.module["main"].params)}

    @property
    def outputs(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """The element type and the shape of each output by name."""
        result = self.module["main"].body.body
        fields = result.fields if isinstance(result, relax.Tuple) else [result]
        return {name: (dtype(each), shape(each)) for name, each in zip(self.output_names, fields)}


def import_onnx(
    path: str | os.PathLike[str],
    *,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    sign_zero: str | None = None,
) -> ImportedModel:
    """Import an ONNX file of any opset.

    ``input_shapes`` fixes the dimensions that the file leaves open; an open batch is 1 by default. ``sign_zero`` is the
    value of the operator Sign at 0: "+1" or "-1", the sign of a binary network, or None for 0 as in the ONNX standard.

    Raises InputError where the file is not as expected, UnsupportedError where an operator cannot be imported.
    """
    if sign_zero not in (None, *SIGN_ZERO):
        raise InputError(f"sign_zero is one of {', '.join(SIGN_ZERO)}, or not given, not {sign_zero!r}")
    model = load_model(path)
    meaning = read_meaning(model)
    model = expand_functions(model, known_ops())
    shapes = static_shapes(model, input_shapes)
    model = fold_constants(model, shapes, sign_zero=sign_zero)
    check_operators(model, known_ops())
    check_types(model)
    check_weights(model)
    record = _Record()
    module = _converted(model, shapes, sign_zero, record)
    refuse_empty(module["main"])
    return ImportedModel(
        module=module,
        input_names=tuple(shapes),
        output_names=tuple(output.name for output in model.graph.output),
        layers=record.layers(module["main"]),
        nodes=record.nodes,
        meaning=meaning,
    )


def _converted(
    model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]], sign_zero: str | None, record: _Record
) -> tvm.IRModule:
    """The module of TVM's importer; its errors outside of any node's converter become UnsupportedError."""
    try:
        with converters(sign_zero, record), _silenced():
            return import_unchecked(model, shapes)
    except B2nnError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UnsupportedError(
            f"the network cannot be imported: {lines[0]}; simplify the model (for example with onnxsim) or export it "
            "with another opset"
        ) from error


class _Record:
    """Collects the layers while the importer works through the nodes."""

    def __init__(self) -> None:
        self._layers: list[NamedLayer] = []
        self.nodes: dict[str, str] = {}

    def __call__(
        self, node: str, op: str, inputs: Sequence[relax.Expr], attrs: Mapping[str, Any], result: relax.Expr
    ) -> None:
        if isinstance(result, relax.Var) and not _GIVEN_BY_TVM.fullmatch(result.name):
            self.nodes[result.name] = f"{node!r} ({op})"
        rank = len(inputs[0].ty.shape) if inputs else 0
        transposed = op == "ConvTranspose" and rank in (3, 4) and constant(inputs[1]) is not None  # is a conv2d, too
        if transposed or (op in ("Conv", "BinaryConv2d", "WeightBinaryConv2d") and rank in (3, 4)):
            self._layers.append(NamedLayer(node, "conv2d", "", marked=op == "WeightBinaryConv2d"))
        elif op in ("Einsum", "Gemm", "MatMul") and (rows := dense_rows(op, inputs, dict(attrs))) is not None:
            self._layers.append(NamedLayer(node, "dense", weight_digest(rows)))

    def layers(self, function: relax.Function) -> tuple[NamedLayer, ...]:
        """The layers. Convolutions get the digests of their weights, which stand in ``function`` in the same order."""
        convs = ("relax.nn.conv1d", "relax.nn.conv2d")
        weights = (constant(call.args[1]) for _, call in calls(function) if op_name(call) in convs)
        return tuple(_with_digest(layer, next(weights)) if layer.kind == "conv2d" else layer for layer in self._layers)


def _with_digest(layer: NamedLayer, weight: np.ndarray | None) -> NamedLayer:
    if weight is None:
        return layer
    return replace(
        layer, digest=weight_digest(weight[:, :, None] if weight.ndim == 3 else weight)
    )  # as LiftConv1d does


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Silence the importer, which prints the errors that it is about to raise, and warns of names that it changes."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
