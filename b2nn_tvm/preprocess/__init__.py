"""What the data of a network mean: how a picture becomes its input, and what its classes are called."""

from b2nn_tvm.preprocess.preprocess import Preprocess, Resize

__all__ = ["Preprocess", "Resize"]
