"""The export of a torch network as an ONNX file."""

from b2nn_tvm.export.export_onnx import export_onnx

__all__ = ["export_onnx"]
