"""With only the wheel installed: the commands answer, and a small network is compiled, run, measured and
cross-built. A library that takes photos is left in the folder "photo", for smoke_runtime.py.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import b2nn_tvm

assert importlib.util.find_spec("torch") is None, "torch is installed: this environment proves nothing"
assert Path(b2nn_tvm.__file__).is_relative_to(sys.prefix), f"{b2nn_tvm.__file__} is not the installed package"


def command(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def save_network(path: Path) -> None:
    """sign -> 3x3 convolution with weights of ±1, in standard operators."""
    generator = np.random.default_rng(0)
    weights = np.where(generator.random((32, 16, 3, 3)) < 0.5, -1, 1).astype(np.float32)
    constants = {"zero": np.float32(0), "one": np.float32(1), "minus": np.float32(-1), "weights": weights}
    nodes = [
        helper.make_node("GreaterOrEqual", ["input", "zero"], ["positive"]),
        helper.make_node("Where", ["positive", "one", "minus"], ["sign"]),
        helper.make_node("Conv", ["sign", "weights"], ["output"], name="conv", pads=[1, 1, 1, 1]),
    ]
    tensor = lambda name, channels: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 8, 8])
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "smoke", [tensor("input", 16)], [tensor("output", 32)], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def save_photo_network(path: Path) -> None:
    """The mean of each color as the score of its class."""
    tensor = lambda name, sides: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, *sides])
    node = helper.make_node("GlobalAveragePool", ["input"], ["output"])
    graph = helper.make_graph([node], "photo", [tensor("input", (40, 50))], [tensor("output", (1, 1))])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


for name in ("b2nn-compile", "b2nn-profile", "b2nn-device", "b2nn-search"):
    assert "Usage" in command(name, "--help")
packages = {package["name"]: package["version"] for package in json.loads(command("b2nn-env", "--json"))["packages"]}
assert packages["numpy"] == np.__version__ and packages["torch"] == "", packages
save_network(Path("smoke.onnx"))
rows = json.loads(command("b2nn-compile", "smoke.onnx", "--target", "native", "-o", "native", "--json"))["layers"]
assert [row["precision"] for row in rows if row["name"] == "conv"] == ["binary"], rows
command("b2nn-compile", "smoke.onnx", "--target", "arm", "--bundle", "-o", "arm")
assert Path("arm", "classify.py").is_file() and Path("arm", "README.txt").is_file()
assert json.loads(command("b2nn-profile", "native", "--runs", "20", "--json"))["median_ms"] > 0

image = np.random.default_rng(1).standard_normal((1, 16, 8, 8), dtype=np.float32)
expected = onnxruntime.InferenceSession("smoke.onnx").run(None, {"input": image})[0]
np.testing.assert_array_equal(b2nn_tvm.load("native").run({"input": image})["output"], expected)
np.save("image.npy", image)
command("native/b2nn-run", "--input", "image.npy", "--output", "output.npy")
np.testing.assert_array_equal(np.load("output.npy"), expected)

save_photo_network(Path("photo.onnx"))
Path("labels.txt").write_text("red\ngreen\nblue\n")
command("b2nn-compile", "photo.onnx", "--mean", "0.5", "--std", "0.25", "--labels", "labels.txt", "-o", "photo")
print("smoke: passed")
