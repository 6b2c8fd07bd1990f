"""The frontend: ``import_onnx`` turns an ONNX file into a Relax module."""

from b2nn_tvm.frontend.import_onnx import import_onnx

__all__ = ["import_onnx"]
