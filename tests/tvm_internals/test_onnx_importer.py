"""The importer gives what TVM's ``from_onnx`` gives, without asking onnx's checker."""

from __future__ import annotations

import onnx
import pytest
from tvm.relax.frontend.onnx import from_onnx

from b2nn_tvm.tvm_internals.onnx_importer import import_unchecked

BREAKS = (
    "TVM's ONNX importer is not made and called as from_onnx does it any more; see"
    " b2nn_tvm/tvm_internals/onnx_importer.py"
)
GRAPH = "agraph (float[N,3,8,8] x, float[4,3,3,3] w) => (float[N,4,6,6] y) { c = Conv (x, w) y = Relu (c) }"


@pytest.mark.parametrize("opset", [11, 18])
def test_the_module_is_that_of_from_onnx(monkeypatch: pytest.MonkeyPatch, opset: int) -> None:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["b2nn" : 1, "" : {opset}]> {GRAPH}')
    shapes = {"x": (2, 3, 8, 8), "w": (4, 3, 3, 3)}
    expected = from_onnx(model, shape_dict={name: list(shape) for name, shape in shapes.items()})
    asked = []
    monkeypatch.setattr(onnx.checker, "check_model", lambda *arguments, **options: asked.append(arguments))
    module = import_unchecked(model, shapes)
    assert not asked
    assert module.script() == expected.script(), BREAKS
