import numpy as np

from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest
from b2nn_tvm.provenance.rewrite_log import Rewrite, RewriteLog

ONE = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
OTHER = ONE + 1


def log(*layers):
    return RewriteLog(NamedLayer(name, "conv2d", weight_digest(weight)) for name, weight in layers)


def test_a_decision_is_entered_once():
    entries = log()
    for _ in range(2):
        entries.record("FoldAffine", "conv1", "why", applied=True)
    entries.record("FoldAffine", "conv1", "why", applied=False)
    assert entries.in_order([]) == (
        Rewrite("conv1", "FoldAffine", True, "why"),
        Rewrite("conv1", "FoldAffine", False, "why"),
    )


def test_decisions_are_sorted_by_layer_and_kept_in_their_order():
    entries = log()
    for layer, rule in (("b", "first"), ("", "second"), ("a", "third"), ("b", "fourth"), ("gone", "fifth")):
        entries.record(rule, layer, "", applied=True)
    assert [entry.rule for entry in entries.in_order(["a", "b"])] == ["third", "first", "fourth", "second", "fifth"]


def test_layers_are_known_by_their_weights():
    entries = log(("conv1", ONE), ("conv2", OTHER))
    assert entries.next_layer_name("FoldAffine", OTHER) == "conv2"
    assert entries.next_layer_name("FoldAffine", ONE) == "conv1"
    assert entries.next_layer_name("FoldAffine", 2 * ONE) == entries.next_layer_name("FoldAffine", None) == ""


def test_equal_weights_take_turns_in_each_pass():
    entries = log(("conv1", ONE), ("conv2", ONE))
    assert [entries.next_layer_name("FoldAffine", ONE) for _ in range(3)] == ["conv1", "conv2", "conv2"]
    assert entries.next_layer_name("MergePad", ONE) == "conv1"
