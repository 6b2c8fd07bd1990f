"""Import an ONNX model into Relax without having onnx check it first.

What TVM does: ``from_onnx`` calls ``onnx.checker.check_model``, and turns what that complains about into a warning.
Then it makes an ``ONNXGraphImporter`` import the graph, for the opset of the file.

Why we need it: the checker writes the model with all of its weights into one message and reads it again. That takes
twice the memory of the weights, at a time at which they are in memory already. Our own checks have looked at the model
before.

When it breaks: see what ``from_onnx`` in ``relax/frontend/onnx/onnx_frontend.py`` does, or call it, which gives the
same module.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import tvm
from tvm.relax.frontend.onnx.onnx_frontend import ONNXGraphImporter


def import_unchecked(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> tvm.IRModule:
    """The module of ``model``, whose inputs have these ``shapes``; raises what TVM's importer raises."""
    opset = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    importer = ONNXGraphImporter({name: list(shape) for name, shape in shapes.items()}, "float32")
    return importer.from_onnx(model.graph, opset)
