"""The values of a network that show the sides which a library took."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.verification.ties.decisions import DECIDING
from b2nn_tvm.verification.ties.show_sides import showing, shown_by, with_outputs
from tests.support.networks.onnx_networks import Network

CONSTANTS = {"t": np.float32(0.5), "one": np.float32(1), "minus": np.float32(-1), "two": np.float32(2)}
CAST = "b = Cast <to = 1> (p) d = Mul (b, two)"


def graph(nodes: str):
    return Network(nodes, CONSTANTS).build().graph


@pytest.mark.parametrize(
    ("nodes", "shown"),
    [
        ("p = Greater (input, t) s = Where (p, one, minus) output = Relu (s)", "s"),
        (f"p = Greater (input, t) {CAST} s = Sub (d, one) output = Relu (s)", "s"),
        (f"p = Greater (input, t) {CAST} s = Sub (d, one) a = Relu (d) output = Add (a, s)", "d"),
        (f"p = Greater (input, t) {CAST} s = Sub (d, input) output = Relu (s)", "d"),
        ("p = Greater (input, t) q = Less (input, t) r = Or (p, q) s = Where (r, one, minus) output = Relu (s)", "s"),
        ("p = Sign (input) s = Mul (p, two) output = Relu (s)", "p"),
        ("p = Round (input) output = Mul (p, two)", "output"),
        (f"p = Greater (input, t) {CAST} output = Identity (p)", "p"),
    ],
)
def test_what_shows_a_side_is_the_last_value_that_stands_for_it_alone(nodes, shown):
    assert shown_by(graph(nodes), DECIDING)["p"] == shown


def test_the_values_become_outputs_unless_they_are_constant_or_outputs():
    model = Network(
        "c = Floor (t) p = Greater (input, c) s = Where (p, one, minus) a = Relu (s) output = Floor (a)", CONSTANTS
    ).build()
    assert [output.name for output in showing(model, ["c", "other", "output", "s"]).graph.output] == ["output", "s"]
    assert [output.name for output in with_outputs(model, ["a", "output"]).graph.output] == ["output", "a"]
    assert [output.name for output in model.graph.output] == ["output"]
