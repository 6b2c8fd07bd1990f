"""Checkpoints as they lie around become the weights of a network: read, found in the file, and fitted by name."""
