"""An ONNX file in onnxruntime, which is the reference of what is compiled from it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.errors import VerificationError

if TYPE_CHECKING:
    import onnx
    from onnxruntime import InferenceSession

    from b2nn_tvm.verification.input_uses import Use
    from b2nn_tvm.verification.ties.forced_oracle import ForcedOracle

OLDEST_FORCED = 11  # of older opsets, comparisons and Where have too few types
LARGEST_IN_MEMORY = 2**24  # bytes of a model that is not the file itself
NEWEST_IR = 10  # that of onnx 1.16; every onnxruntime that has opset 18 or newer reads it


def installed() -> bool:
    """Whether onnxruntime is installed, so that libraries can be verified against it."""
    return importlib.util.find_spec("onnxruntime") is not None


class NoReference(VerificationError):
    """onnxruntime cannot run the file, which is no fault of a library; ``reason`` says why."""

    def __init__(self, text: str, *, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


class Oracle:
    """An ONNX file in onnxruntime on one thread, without its optimizations: some make sums of signs inexact
    (ConvMulFusion), some are wrong (PadFusion takes zeros in front of a max pooling for nothing).

    ``sign_zero`` is the value of Sign at 0, "+1" or "-1", or None for 0. Raises NoReference where onnxruntime cannot
    run the file.
    """

    def __init__(self, onnx_path: str | os.PathLike[str], *, sign_zero: str | None = None):
        self._path = Path(onnx_path)
        self._sign_zero = sign_zero
        self._converted = False
        self._folder = self._path.resolve().parent  # of the weights: onnxruntime refuses links that lead out of it
        try:
            self._session = self._make_session(self._file())
        except NoReference:
            self._session = self._converted_session()
        self._names = [output.name for output in self._session.get_outputs()]

    @cached_property
    def half(self) -> bool:
        """Whether any value of the network has half precision."""
        return _is_half(self._outline)

    @cached_property
    def compares(self) -> bool:
        """Whether a node of the network compares or rounds."""
        from b2nn_tvm.verification.ties.decisions import COMPARISONS, ROUNDINGS

        return any(node.op_type in {*COMPARISONS, *ROUNDINGS} for node in _all_nodes(self._outline))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs by name. Raises NoReference where onnxruntime fails on these inputs."""
        try:
            return dict(zip(self._names, self._session.run(None, dict(inputs)), strict=True))
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no root of their own
            raise self._no_reference(error) from None

    def closest_tie(self, inputs: Mapping[str, np.ndarray]) -> float:
        """The smallest distance |x - threshold| at any comparison or Sign, relative to the largest magnitude there; inf
        without one.
        """
        return self.forced.closest_tie(inputs)

    @cached_property
    def forced(self) -> ForcedOracle:
        """The same network, in which single comparisons and roundings can be forced."""
        from b2nn_tvm.verification.ties.forced_oracle import ForcedOracle

        model = self._inlined
        return ForcedOracle(model, lambda model: self._make_session(model.SerializeToString()), self._folder)

    @cached_property
    def uses(self) -> dict[str, Use]:
        """What the inputs of integers mean."""
        from b2nn_tvm.verification.input_uses import input_uses

        return input_uses(self._inlined)

    def _file(self) -> str | bytes:
        """The file without its weights, where onnxruntime takes it as it is, else the bytes of the rewritten model."""
        from google.protobuf.message import DecodeError

        from b2nn_tvm.frontend.functions.own_opsets import has_other_opsets
        from b2nn_tvm.verification.oracle_model import needs_rewriting

        try:
            outline = self._outline
        except DecodeError:
            return str(self._path)  # onnxruntime will name the fault of the file
        self._converted = has_other_opsets(outline)
        rewrites = self._converted or needs_rewriting(outline, sign_zero=self._sign_zero)
        model = self._model() if rewrites else outline
        content: bytes = model.SerializeToString()
        return content

    def _converted_session(self) -> InferenceSession:
        """The file as the compiler reads it, where onnxruntime takes neither its opset nor its version of ONNX."""
        from b2nn_tvm.errors import B2nnError

        refusal = sys.exception()
        assert refusal is not None
        self._converted = True
        try:
            return self._make_session(self._model().SerializeToString())
        except (B2nnError, ValueError):  # the first refusal is about the file that the user has
            raise refusal from None

    @cached_property
    def _outline(self) -> onnx.ModelProto:
        """The file's model, whose weights stay in their files."""
        from b2nn_tvm.verification.outline import read_outline

        return read_outline(self._path.resolve())

    def _model(self) -> onnx.ModelProto:
        """The file's model in operators that onnxruntime has, where each Sign has the value ``sign_zero`` at 0.

        Its weights are in the file, or in one of this object where they are large.
        """
        import onnx

        from b2nn_tvm.verification.oracle_model import needs_rewriting, rewritten

        if self._converted:
            from b2nn_tvm.frontend.read_onnx import load_model
            from b2nn_tvm.tvm_internals.import_alone import import_tvm_alone

            import_tvm_alone()
            model = load_model(self._path)
            model.ir_version = min(model.ir_version, NEWEST_IR)
        elif not needs_rewriting(self._outline, sign_zero=self._sign_zero):
            outline: onnx.ModelProto = onnx.ModelProto.FromString(self._outline.SerializeToString())
            return outline
        else:
            model = onnx.load(self._path)
        if needs_rewriting(model, sign_zero=self._sign_zero):
            model = rewritten(model, sign_zero=self._sign_zero)
        return self._light(model)

    def _light(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """The model, whose weights are moved into a file where they take much memory."""
        from b2nn_tvm.verification.outline import read_outline

        if model.ByteSize() < LARGEST_IN_MEMORY:
            return model
        self._folder = Path(tempfile.mkdtemp(prefix="b2nn-")).resolve()
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)  # sessions read the weights
        path = self._folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return read_outline(path)

    @cached_property
    def _inlined(self) -> onnx.ModelProto:
        """The same without functions, of an opset in which decisions can be forced."""
        from b2nn_tvm.frontend.functions.own_opsets import opset_of
        from b2nn_tvm.verification.oracle_model import inlined

        if (opset_of(self._outline) or 0) < OLDEST_FORCED:
            self._converted = True
        return inlined(self._model())

    def _make_session(self, model: str | bytes) -> InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.x64quantprecision", "1")  # else 8-bit products saturate on AVX2
        # The few runs of a check pay neither for a second copy of all weights in another order, nor for one in memory.
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(self._folder))
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no root of their own
            raise self._no_reference(error) from None

    def _no_reference(self, error: Exception) -> NoReference:
        reason = _reason((str(error).strip().splitlines() or [type(error).__name__])[0])
        return NoReference(
            f"onnxruntime cannot run {self._path.name}, so the library cannot be checked against it: {reason}; "
            "compile it with --no-verify and check it on your data",
            reason=reason.replace(str(self._path), self._path.name),
        )


def invalid(onnx_path: str | os.PathLike[str]) -> str:
    """What the ONNX standard forbids in a file, as onnx's own checker sees it; empty where it is valid."""
    import onnx
    from onnx import checker, shape_inference

    model = onnx.load(onnx_path)
    model.ir_version = min(model.ir_version, NEWEST_IR)  # which versions there are is not the question
    try:
        checker.check_model(model, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError, ValueError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return "" if "opset" in lines[0].lower() else lines[0]
    return ""


def _all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    yield from model.graph.node
    for function in model.functions:
        yield from function.node


def _is_half(model: onnx.ModelProto) -> bool:
    from onnx import TensorProto

    graph = model.graph
    values = (value.type.tensor_type.elem_type for value in (*graph.input, *graph.output, *graph.value_info))
    weights = (tensor.data_type for tensor in graph.initializer)
    casts = (
        attribute.i
        for node in _all_nodes(model)
        if node.op_type == "Cast"
        for attribute in node.attribute
        if attribute.name == "to"
    )
    return TensorProto.FLOAT16 in {*values, *weights, *casts}


def _reason(error: str) -> str:
    """The part that onnxruntime lacks: the operator or kernel by its name where the error names one, else the error
    itself.
    """
    if found := re.search(r"(\S*):(\w+)\(-?\d+\) is not a registered function/op", error):
        return f"it has no operator {'::'.join(filter(None, found.groups()))}"
    if found := re.search(r'Node, \("(.*?)", (\w+), "(.*?)", .* No Op registered for', error):
        node, op, domain = found.groups()
        return f"it has no operator {'::'.join(filter(None, (domain, op)))} (node {node!r})"
    if found := re.search(r"Could not find an implementation for (\w+)\(\d+\) node with name '(.*?)'", error):
        return "it has no kernel for {} of these types (node {!r})".format(*found.groups())
    return error
