"""Choices within milliseconds, by a cost model that is known; test_compare.py measures one."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.progress import silent
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.study.cells import Network
from b2nn_tvm.study.fronts.kinds import KINDS
from b2nn_tvm.study.fronts.times import Times
from b2nn_tvm.study.tasks import Net, Source
from tests.support.study.few_digits import NAME

COST = AdditiveCost("ms", 1.0, {"a": 4.0, "b": 4.0}, {"a": 1.0, "a@int8": 2.0, "b": 1.0, "b@int8": 2.0})
HARM = {"a": 0.3, "a@int8": 0.01, "b": 0.2, "b@int8": 0.02}
NETWORK = Network(Net("vgg_small", 4, "binrelu"), COST, 0.1)


def times(folder: Path, cost: AdditiveCost | None) -> Times:
    bundle = Source(NAME, images=8, validation=0).load()
    found = Times(bundle, State(folder), mixtures=1, progress=silent)
    found._costs = {} if cost is None else {NETWORK.label: cost}
    return found


@pytest.mark.parametrize(
    ("kind", "choices"),
    [
        # from 3 ms, all binary, to 9 ms: 3, 6 and 8.4 ms
        ("mixbin 1,32", {0: ("a", "b"), 50: ("b",), 90: ("b",)}),
        ("mixbin 1,8,32", {0: ("a", "b"), 50: ("a@int8", "b@int8"), 90: ("a@int8",)}),
    ],
)
def test_the_least_harmful_choice_on_the_way_from_the_fastest_to_the_float_network(
    tmp_path: Path, kind: str, choices: dict[float, tuple[str, ...]]
) -> None:
    choose = lambda cost: times(tmp_path, cost).choose(
        NETWORK, KINDS[kind], HARM, tuple(choices), of=("binary", "int8")
    )
    assert choose(COST) == choices
    assert choose(None) == choices  # it stays as it was made, and nothing is measured for it
