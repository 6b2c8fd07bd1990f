"""Checks of an ONNX file before anything is made of it."""
