"""All methods by their names."""

from __future__ import annotations

import math

import pytest

from b2nn_tvm.cli import draw_progress
from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.greedy import Greedy
from b2nn_tvm.mixbin.selectors.hawq_v2 import HawqV2
from tests.support.mixbin.toy import NAMES


@pytest.mark.sweep
def test_every_method_of_the_registry_gives_a_finite_score_per_layer(model, batches, data):
    assert len(methods.names()) == len(set(methods.names())) == 17
    some = NAMES[7:]
    cost = AdditiveCost("flops", 0, dict.fromkeys(some, 64), dict.fromkeys(some, 1))
    options = {"layers": some, "cost": cost, "limit": 100, "data": data, "seed": 3}
    for name in methods.names():
        selector = {"hawq-v2": HawqV2(most_draws=2), "greedy-trained": Greedy(epochs=0)}.get(name, name)
        found = methods.score(selector, model, batches, **options)
        assert tuple(found.scores) == some and all(map(math.isfinite, found.scores.values()))
        assert methods.get(name).name == name
    with pytest.raises(InputError, match=r"'hawq'.*mixbin-loss, mixbin-grad, mixbin-loss-printed-order"):
        methods.score("hawq", model, batches)


def test_the_methods_that_give_an_order_are_methods():
    assert set(methods.names()) >= methods.ORDERS and "mixbin-loss" not in methods.ORDERS


def test_scores_end_up_on_disk_and_a_bar_shows_the_way(model, batches, tmp_path, capsys):
    options = {"layers": NAMES[8:], "path": tmp_path / "s.json"}
    with draw_progress.progress() as bars:
        found = methods.score("mixbin-loss", model, batches, progress=bars, **options)
    assert Sensitivity.load(tmp_path / "s.json") == found
    assert "mixbin-loss" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"no layer blocks.77.conv; its layers are stem, blocks.0.conv"):
        methods.score("front", model, batches, layers=["blocks.77.conv"])


def test_most_methods_know_two_precisions(model, batches):
    assert set(methods.names()) > methods.KNOW_PRECISIONS
    for name in set(methods.names()) - methods.KNOW_PRECISIONS:
        with pytest.raises(InputError, match=f"method {name} tells binary from float alone, and not int8; .* hawq-v2"):
            methods.score(name, model, batches, precision="int8")
    methods.refuse_precisions("front", "float", "binary")
    with pytest.raises(InputError, match="scored for becoming binary, int8, w1a2, w2a2, not float"):
        methods.score("mixbin-loss", model, batches, precision="float")
