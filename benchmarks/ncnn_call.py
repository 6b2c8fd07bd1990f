"""A network in ncnn's format, with ncnn's default options."""

from __future__ import annotations

import ncnn
import numpy as np
from inputs import random_input


def load(*, param: str, shape: list, threads: int):
    """``param`` is the text file, its weights lie beside it as .bin; ``shape`` is the input's, its batch of 1
    included.
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
