"""What a progression may be, and which one a word stands for."""

from __future__ import annotations

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.progressive.settings import Progression, named
from b2nn_tvm.plan import Precision


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "middle"}, "choose one of front, rear, greedy"),
        ({"precision": Precision.FLOAT}, "binary or weight-binary"),
        ({"epochs": -1}, "at least 0, not -1"),
        ({"floor": 1.5}, "from 0 to 1, not 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Progression(**options)


def test_a_word_stands_for_its_settings():
    scores = {"a": 1.0, "b": 0.0}
    assert named("front", scores=scores, epochs=None, floor=None) == Progression("front", epochs=1)
    assert named("scores", scores=scores, epochs=3, floor=0.5) == Progression(scores, epochs=3, floor=0.5)
    found = named("layer-wise-priority", scores=scores, epochs=None, floor=0.25)
    assert (found.order, found.precision, found.epochs, found.floor) == ("rear", Precision.WEIGHT_BINARY, 2, 0.25)
    assert found.freeze and found.distillation == 0
    assert named("layer-wise-priority", scores=scores, epochs=5, floor=None).epochs == 5


def test_an_unknown_word_lists_the_words():
    with pytest.raises(InputError, match="'middle'; choose one of front, rear, greedy, scores, layer-wise-priority"):
        named("middle", scores={}, epochs=None, floor=None)
