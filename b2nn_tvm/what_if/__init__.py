"""What binary layers would save in a float ONNX network on a device, before anything is trained."""
