"""The emulated board as a board: b2nn-device runs there under Python and TVM's runtime for AArch64, networks arrive
over RPC.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.latency.device_bench import DeviceBench
from b2nn_tvm.deploy.latency.measure import measure
from b2nn_tvm.deploy.latency.profile import profile
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.errors import DeviceError
from b2nn_tvm.reference import binary_conv2d, pack, sign
from b2nn_tvm.targets.target import get
from tests.support.boards.board_process import BoardProcess
from tests.support.networks.onnx_models import BINARY_CONV2D, model, onnxruntime_output, save

pytestmark = pytest.mark.emulated

THRESHOLD = np.linspace(-0.5, 0.5, 40).astype("float32")
NODES = """
    bits = b2nn.BinaryConv2d <kernel_shape = [3, 3], strides = [1, 1], dilations = [1, 1], pads = [1, 1, 1, 1],
        pad_value = 0.0, channels = 40> (input, w1, s1, t1)
    b = Conv <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (bits, w2, b2)
    c = Relu (b)
    d = GlobalAveragePool (c)
    e = Flatten (d)
    logits = Gemm (e, w3, b3)
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory, pytestconfig):
    python = pytestconfig.rootpath / "build" / "arm-board" / "python"
    if not python.is_file():
        pytest.skip(f'no system for the emulated board in {python.parent}; get it with "make arm-board"')
    board = BoardProcess(tmp_path_factory.mktemp("board"), command=(str(python),), B2NN_BOARD_CPU="cortex-a53")
    yield board
    board.stop()


@pytest.fixture(scope="module")
def weight() -> np.ndarray:
    return sign(np.random.default_rng(1).standard_normal((24, 40, 3, 3)))


@pytest.fixture(scope="module")
def network(tmp_path_factory, weight) -> Path:
    """A binary convolution whose integers are an output, and a float network behind it; the folder beside the ONNX
    file.
    """
    generator = np.random.default_rng(2)
    normal = lambda *shape: generator.standard_normal(shape).astype("float32")
    constants = {"w1": pack(weight.transpose(0, 2, 3, 1)), "s1": np.ones(24, "float32"), "t1": THRESHOLD}
    constants |= {"w2": normal(16, 24, 3, 3) / 20, "b2": normal(16), "w3": normal(16, 10), "b3": normal(10)}
    inputs, outputs = "float[1,40,12,12] input", "float[1,24,12,12] bits, float[1,10] logits"
    folder = tmp_path_factory.mktemp("mixed")
    path = save(folder, model(NODES, constants, inputs=inputs, outputs=outputs, functions=BINARY_CONV2D))
    artifact = compile_model(path, target="arm", output=folder / "net", verify=False)
    assert [row.precision for row in artifact.layers if row.op == "conv2d"] == ["binary", "float"]
    artifact.close()
    return folder


@pytest.mark.sweep
def test_a_mixed_network_is_exact_there(board, network, weight, run_emulated):
    x = np.random.default_rng(3).standard_normal((1, 40, 12, 12)).astype("float32")
    with open_device(board.address) as device:
        results = device.run(load(network / "net"), {"input": x}, threads=2)
        expected = binary_conv2d(
            sign(x, THRESHOLD[:, None, None]), weight, stride=(1, 1), padding=(1, 1, 1, 1), dilation=(1, 1), pad_value=0
        )
        np.testing.assert_array_equal(results["bits"], expected)
        for name, direct in run_emulated(network / "net", {"input": x}, cpu="cortex-a53").items():
            np.testing.assert_array_equal(results[name], direct)
        assert np.abs(results["logits"] - logits(network, x)).max() <= 1e-4 * np.abs(results["logits"]).max()
    assert board.left_behind() == []


@pytest.mark.sweep
def test_it_is_known_to_be_emulated_and_gives_no_times(board, network, tmp_path):
    with open_device(board.address) as device:
        found = device.describe()
        assert found.emulated and found.arch == "aarch64"
        with pytest.raises(DeviceError, match=f"{board.address}: an emulator's time is not a latency"):
            measure(load(network / "net"), device=device)
        with pytest.raises(DeviceError, match="an emulator's time is not a latency"):
            profile(load(network / "net"), device=device, threads=1, costs=tmp_path / "costs.json")
    with pytest.raises(DeviceError, match="an emulator's time is not a latency"):
        DeviceBench(board.address, target=get("arm"))
    assert not (tmp_path / "costs.json").exists()


def logits(network: Path, x: np.ndarray) -> np.ndarray:
    """The second output, which a model of its own has as its first."""
    import onnx

    built = onnx.load(network / "model.onnx")
    del built.graph.output[0]
    return onnxruntime_output(save(network, built, "logits.onnx"), x)
