"""Max pooling in networks of binary layers, in whichever order with batch norm and sign: the numbers of onnxruntime,
exactly.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from b2nn_tvm import reference
from b2nn_tvm.compiler import compile_model
from b2nn_tvm.targets.target import get
from tests.support.networks.onnx_models import model, onnxruntime_output, save

CHANNELS = 40
POOLS = {
    "2x2": "kernel_shape = [2, 2], strides = [2, 2]",
    "3x3 with a border": "kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]",
    "ceil mode, dilated": "kernel_shape = [2, 3], strides = [2, 1], dilations = [2, 1], ceil_mode = 1",
}
SIGN = "p{0} = GreaterOrEqual ({1}, zero) s{0} = Where (p{0}, one, minus) "


def chain(pool: str, seed: int) -> onnx.ModelProto:
    """sign - conv - pool - batch norm - sign - conv - batch norm - sign - pool - pad with +1 - conv - pool - sign -
    conv.

    All is computed in multiples of 1/4 below 2^22, so that float sums are exact; gammas are negative and zero, too.
    """
    rng = np.random.default_rng(seed)
    signs = lambda *shape: reference.sign(rng.standard_normal(shape)).astype(np.float32)
    quarters = lambda size: (rng.integers(-12, 13, size) / 4).astype(np.float32)
    constants = {
        "zero": np.float32(0),
        "one": np.float32(1),
        "minus": np.float32(-1),
        "pads": np.array([0, 0, 1, 1] * 2),
        "w1": signs(CHANNELS, 6, 3, 3),
        "w2": signs(CHANNELS, CHANNELS, 3, 3),
        "w3": signs(CHANNELS, CHANNELS, 3, 3),
        "w4": signs(5, CHANNELS, 1, 1),
        "g1": quarters((CHANNELS, 1, 1)),
        "b1": 8 * quarters((CHANNELS, 1, 1)),
        "g2": quarters((CHANNELS, 1, 1)),
        "b2": 8 * quarters((CHANNELS, 1, 1)),
        "t": 6 * quarters((CHANNELS, 1, 1)),
    }
    nodes = (
        SIGN.format(0, "input")
        + f"c1 = Conv <pads = [1, 1, 1, 1]> (s0, w1) m1 = MaxPool <{pool}> (c1) y1 = Mul (m1, g1) z1 = Add (y1, b1) "
        + SIGN.format(1, "z1")
        + "c2 = Conv <pads = [1, 1, 1, 1]> (s1, w2) y2 = Mul (c2, g2) z2 = Add (y2, b2) "
        + SIGN.format(2, "z2")
        + f"m2 = MaxPool <{pool}> (s2) q2 = Pad (m2, pads, one) c3 = Conv (q2, w3) r3 = Relu (c3) m3 = MaxPool <{pool}>"
        " (r3) " + "p3 = GreaterOrEqual (m3, t) s3 = Where (p3, one, minus) output = Conv (s3, w4)"
    )
    return model(nodes, constants, inputs="float[1,6,25,23] input")


@pytest.mark.in_turn("target")
@pytest.mark.parametrize("target", ["x86", "x86-vpopcntdq"])
@pytest.mark.parametrize("pool", POOLS)
def test_the_outputs_are_those_of_onnxruntime(tmp_path, pool, target):
    if get(target).missing:
        pytest.skip(f"{target} needs {', '.join(get(target).missing)}")
    path = save(tmp_path, chain(POOLS[pool], len(pool)))
    with compile_model(path, target=target, output=tmp_path / "library", verify=False) as artifact:
        assert sum(row.precision == "binary" for row in artifact.layers) == 4
        pooled = [step.operations for step in artifact.manifest.steps if "pool_bits" in step.operations]
        floats = [step for step in artifact.manifest.steps if any("max_pool" in word for word in step.operations)]
        assert (len(pooled), floats) == (3, [])
        for seed in range(4):
            x = (np.random.default_rng(seed).integers(-6, 7, (1, 6, 25, 23)) / 4).astype(np.float32)
            expected = onnxruntime_output(path, x)
            assert np.unique(expected).size > 5
            np.testing.assert_array_equal(artifact.run({"input": x})["output"], expected)
            np.testing.assert_array_equal(artifact.run({"input": x}, threads=2)["output"], expected)
