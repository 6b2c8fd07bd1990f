"""The first wrong value of a network is found, in a few looks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import onnx
import pytest

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.verification.find_layer import AT_ONCE, Layer, find_layer
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network

LENGTH = 100


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """input -> v0 -> v1 -> ... -> output, and a constant beside them."""
    names = ["input", *(f"v{index}" for index in range(LENGTH)), "output"]
    nodes = "c = Neg (w) " + " ".join(f"{y} = Relu ({x})" for x, y in pairwise(names))
    built = Network(nodes, {"w": (1,)}).build()
    for node, name in zip(built.graph.node[1:], names[1:]):
        node.name = f"layer {name}"
    return save(tmp_path, built)


class Compiler:
    """Counts libraries; every value from number ``first`` on is wrong, by its number."""

    def __init__(self, first: int) -> None:
        self.first, self.libraries, self.taps = first, 0, 0

    def compile_here(self, path: Path, folder: Path) -> None:
        self.libraries += 1

    def compare(self, folder: Path, path: Path) -> dict[str, float]:
        outputs = [output.name for output in onnx.load(path).graph.output]
        self.taps = max(self.taps, len(outputs))
        numbers = {name: int(name[1:]) if name != "output" else LENGTH for name in outputs}
        return {name: 0.5 for name, number in numbers.items() if number >= self.first}


@pytest.mark.parametrize("first", [0, 1, 8, 49, 50, 63, 98, 99])
def test_the_first_wrong_value(chain, first):
    compiler = Compiler(first)
    found = find_layer(chain, compile_here=compiler.compile_here, compare=compiler.compare)
    assert found == Layer(f"layer v{first}", "Relu", f"v{first}", 0.5)
    assert compiler.libraries <= 3 and compiler.taps <= AT_ONCE + 3
    assert found.text == f"the first layer that differs is 'layer v{first}' (Relu), by 5.0e-01"


def test_nothing_is_wrong_on_its_own(chain):
    compiler = Compiler(LENGTH + 1)
    assert find_layer(chain, compile_here=compiler.compile_here, compare=compiler.compare) is None


def test_a_network_that_cannot_be_compiled_with_more_outputs(chain):
    def refuse(path: Path, folder: Path) -> None:
        raise UnsupportedError("not with these outputs")

    assert find_layer(chain, compile_here=refuse, compare=Compiler(0).compare) is None
