"""A precision has one look everywhere, those of other projects included."""

from __future__ import annotations

from b2nn_tvm.loop.results.precisions import LOOKS, OTHERS, looks
from b2nn_tvm.plan import Precision


def test_every_precision_of_plans_has_a_look() -> None:
    assert set(LOOKS) == {precision.value for precision in Precision}


def test_unknown_precisions_get_colours_of_their_own() -> None:
    found = looks(["binary", "int8", "float", "int4", "int8"])
    assert list(found) == ["binary", "int8", "float", "int4"]
    assert found["binary"] == LOOKS["binary"] and found["int8"].word == "int8"
    assert len({look.light for look in found.values()}) == len({look.dark for look in found.values()}) == 4
    assert len(looks(map(str, range(9)))) == 9 > len(OTHERS)
