"""A network of binary layers, one behind the other."""

from __future__ import annotations

import numpy as np

from tests.support.networks.onnx_models import model
from tests.support.passes.relax_functions import random_signs


def chain(layers=3, channels=12, seed=0, pad_value=None, classifier=False):
    """sign, then conv - batch norm - sign ``layers`` times; gammas are positive, negative, zero and tiny."""
    rng = np.random.default_rng(seed)
    constants = {
        "zero": np.float32(0),
        "one": np.float32(1),
        "minus": np.float32(-1),
        "pads": np.array([0, 0, 1, 1] * 2),
    }
    nodes, x = ["p0 = GreaterOrEqual (input, zero) s0 = Where (p0, one, minus)"], "s0"
    for i in range(1, layers + 1):
        gamma = rng.uniform(0.1, 1, channels) * rng.choice([-1, 1, 0, 1e-12], channels)
        gamma[:4] = 1, -1, 0, -1e-12
        statistics = {
            "gamma": gamma,
            "beta": rng.standard_normal(channels) * 0.3,
            "mean": rng.standard_normal(channels) * 3,
            "variance": rng.uniform(1, 40, channels),
        }
        constants |= {f"{name}{i}": value.astype(np.float32) for name, value in statistics.items()}
        constants[f"w{i}"] = random_signs((channels, channels, 3, 3), seed + i)
        constants[f"alpha{i}"] = rng.uniform(0.01, 0.2, (channels, 1, 1)).astype(np.float32)
        pads = "" if pad_value else "<pads = [1, 1, 1, 1]>"
        if pad_value:
            nodes.append(f"q{i} = Pad ({x}, pads, {'one' if pad_value > 0 else 'minus'})")
        nodes.append(
            f"c{i} = Conv {pads} ({f'q{i}' if pad_value else x}, w{i}) m{i} = Mul (c{i}, alpha{i}) "
            f"b{i} = BatchNormalization (m{i}, gamma{i}, beta{i}, mean{i}, variance{i}) "
            f"p{i} = GreaterOrEqual (b{i}, zero) s{i} = Where (p{i}, one, minus)"
        )
        x = f"s{i}"
    if classifier:
        constants["classes"] = random_signs((5, channels, 1, 1))
        nodes.append(f"y = Conv ({x}, classes)")
        x = "y"
    return model("\n".join(nodes), constants, inputs=f"float[1,{channels},6,5] input", outputs=f"float[N,C,H,W] {x}")
