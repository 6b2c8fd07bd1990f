"""The converters of standard ONNX operators, one family per file."""
