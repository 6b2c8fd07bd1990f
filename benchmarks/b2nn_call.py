"""Our engine: a compiled library, which uses the arrays of inputs and outputs in place."""

from __future__ import annotations

import numpy as np
from inputs import random_input

import b2nn_tvm
from b2nn_tvm.deploy.library.c_interface import aligned_empty


def load(*, folder: str, threads: int, channels_last: bool):
    """The timed call and the result of a library; with ``channels_last`` it reads the same images as channels-last."""
    artifact = b2nn_tvm.load(folder)
    given = [aligned_empty(spec.shape, spec.dtype) for spec in artifact.inputs]
    for array in given:
        batch, *image, channels = array.shape
        array[...] = (
            np.moveaxis(random_input((batch, channels, *image)), 1, -1) if channels_last else random_input(array.shape)
        )
    results = [aligned_empty(spec.shape, spec.dtype) for spec in artifact.outputs]
    instance = artifact.instance(threads=threads)
    return instance.bind(given, results), lambda: results[0]
