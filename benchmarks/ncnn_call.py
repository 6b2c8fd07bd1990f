"""A network in ncnn's format, with ncnn's default options."""

from __future__ import annotations

import ncnn
import numpy as np
from inputs import random_input


def load(*, param: str, shape: list, threads: int):
    """The timed call and the result of a network: ``param`` is its text file, beside which its weights lie as .bin.

    ``shape`` is that of the input, with its batch of 1.
    """
    network = ncnn.Net()
    network.opt.num_threads = threads
    if network.load_param(param) or network.load_model(param.removesuffix(".param") + ".bin"):
        raise ValueError(f"ncnn cannot load {param}")
    x = random_input(shape)[0]
    given, wanted = network.input_names()[0], network.output_names()[0]

    def run():
        extractor = network.create_extractor()
        extractor.input(given, ncnn.Mat(x))
        status, y = extractor.extract(wanted)
        if status:
            raise RuntimeError(f"ncnn stopped with status {status}")
        return y

    return run, lambda: np.array(run())[None]
