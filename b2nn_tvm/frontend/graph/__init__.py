"""What several steps of reading an ONNX file need of its graph."""
