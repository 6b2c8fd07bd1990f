import numpy as np
from onnx import TensorProto

from b2nn_tvm.reference.quantizers.known_values import KnownValues
from tests.support.networks.onnx_models import model

NODES = """
a = Abs (w) b = Mul (a, two) c = Constant <value = float[2] {3.0, 4.0}> () d = Add (input, w)
q = qonnx.custom_op.general.Quant (input, two) r = Flatten (q) e = Cast <to = 11> (q) output = Relu (q)
"""
FOUND = KnownValues(model(NODES, {"w": -np.ones(5, np.float32), "two": np.float32(2)}), ["Quant"])


def test_values_computed_from_constants_are_known():
    np.testing.assert_array_equal(FOUND.of("b"), np.full(5, 2, np.float32))
    np.testing.assert_array_equal(FOUND.of("c"), [3, 4])
    assert all(FOUND.of(name) is None for name in ("input", "d", "q", "no such name"))


def test_types_are_known_behind_quantizers():
    assert (FOUND.rank("q"), FOUND.rank("r"), FOUND.rank("two"), FOUND.rank("no such name")) == (4, 2, 0, None)
    assert FOUND.element_type("e") == TensorProto.DOUBLE
    assert FOUND.element_type("no such name") == TensorProto.FLOAT
