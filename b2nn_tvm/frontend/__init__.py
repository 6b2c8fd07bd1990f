"""The frontend: ``import_onnx.import_onnx`` turns an ONNX file into a Relax module."""
