"""The quantizers of QONNX, FINN, Brevitas and OpenVINO, defined in standard ONNX operators."""
