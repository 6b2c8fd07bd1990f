import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.passes.framework.recorder import BEFORE, READERS, Recorder
from b2nn_tvm.passes.framework.rewriter import rewrite_calls
from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest
from b2nn_tvm.provenance.rewrite_log import RewriteLog
from b2nn_tvm.relax_query import op_name
from tests.support.passes.relax_functions import const, module, random_input

FIRST, SECOND = random_input((4, 4, 3, 3), 1), random_input((6, 4, 1, 1), 2)
ROWS = random_input((6, 5), 3)  # [K, O]
LAYERS = {"first": FIRST, "second": SECOND, "classes": np.ascontiguousarray(ROWS.T)}


def network(x):
    y = op.nn.conv2d(x, const(FIRST), padding=1)
    y = op.nn.relu(op.add(y, x))
    y = op.nn.conv2d(op.nn.pad(op.exp(y), [0, 0, 0, 0, 1, 1, 1, 1]), const(SECOND))
    return op.matmul(op.reshape(op.mean(y, [2, 3]), (1, 6)), const(ROWS))


def entries(of, rule, body=network):
    log = RewriteLog(NamedLayer(name, "conv2d", weight_digest(weight)) for name, weight in LAYERS.items())
    rewrite_calls(module(body), rule, Recorder(log, "Rule", "by default", of=of))
    return [(entry.layer, entry.applied, entry.reason) for entry in log.in_order([])]


def declining(name, *note):
    """A rule that declines every call of this operator, saying why."""
    return lambda call, context: context.note(*note) if op_name(call) == name else None


@pytest.mark.parametrize(
    ("name", "readers", "before"),
    [
        ("relax.nn.conv2d", ["first", "second"], ["first", "second"]),
        ("relax.matmul", ["classes"], ["classes"]),
        ("relax.nn.pad", ["second"], ["first"]),
        ("relax.nn.relu", ["second"], ["first"]),
        ("relax.mean", ["classes"], ["second"]),
    ],
)
def test_a_call_belongs_to_the_nearest_layer(name, readers, before):
    for of, layers in ((READERS, readers), (BEFORE, before)):
        assert entries(of, declining(name, "not here")) == [(layer, False, "not here") for layer in layers]


def test_what_a_rule_did_is_entered_with_the_passs_words_or_its_own():
    rule = lambda call, context: op.nn.relu(call.args[0]) if op_name(call) == "relax.exp" else None
    assert entries(READERS, rule) == [("second", True, "by default")]

    def saying_why(call, context):
        if op_name(call) != "relax.exp":
            return None
        context.note("it is simpler")
        return op.nn.relu(call.args[0])

    assert entries(READERS, saying_why) == [("second", True, "it is simpler")]


def test_a_rule_that_says_nothing_enters_nothing():
    assert entries(READERS, lambda call, context: None) == []


def test_a_note_belongs_to_one_call():
    """What was noted of a call is not entered for the next."""
    assert len(entries(READERS, declining("relax.exp", "once"))) == 1


def test_all_layers_that_read_a_value_share_what_was_done_to_it():
    both = lambda x: op.add(
        op.nn.conv2d(y := op.exp(x), const(FIRST), padding=1), op.nn.conv2d(y, const(FIRST), padding=1)
    )
    log = RewriteLog(NamedLayer(name, "conv2d", weight_digest(FIRST)) for name in ("left", "right"))
    rewrite_calls(module(both), declining("relax.exp", "no"), Recorder(log, "Rule", ""))
    assert [entry.layer for entry in log.in_order([])] == ["left", "right"]


def test_a_call_without_layers_belongs_to_none():
    assert entries(READERS, declining("relax.exp", "no"), op.exp) == [("", False, "no")]
