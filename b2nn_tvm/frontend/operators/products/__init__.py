"""Products of matrices in the spellings that ONNX has for them."""
