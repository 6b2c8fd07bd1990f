import itertools
import random

import pytest

from b2nn_tvm.costs import front as module
from b2nn_tvm.costs.front import front


def best(savings, weights, limit):
    """The most that any choice within ``limit`` saves, by trying all of them."""
    names = list(savings)
    choices = itertools.chain.from_iterable(itertools.combinations(names, size) for size in range(len(names) + 1))
    return max(sum(savings[n] for n in choice) for choice in choices if sum(weights[n] for n in choice) <= limit)


def drawn(seed, count=9):
    draw = random.Random(seed)
    names = [f"layer{index}" for index in range(count)]
    return {n: draw.uniform(-0.2, 1.0) for n in names}, {n: draw.randrange(1, 50) for n in names}


@pytest.mark.parametrize("seed", range(6))
def test_every_step_has_the_best_choice_of_all(seed):
    savings, weights = drawn(seed)
    found = front(savings, weights, steps=10)
    total = sum(weights.values())
    for step in range(11):
        within = max((choice for choice in found if choice.weight <= total * step // 10), key=lambda one: one.saving)
        assert within.saving == pytest.approx(best(savings, weights, total * step // 10))


def test_choices_say_what_they_are_made_of_and_grow():
    savings, weights = drawn(7)
    found = front(savings, weights)
    assert found[0].binary == () and (found[0].saving, found[0].weight) == (0, 0)
    for one, other in itertools.pairwise(found):
        assert one.weight < other.weight and one.saving < other.saving
    for choice in found:
        assert choice.weight == sum(weights[name] for name in choice.binary)
        assert choice.saving == pytest.approx(sum(savings[name] for name in choice.binary))
        assert list(choice.binary) == [name for name in savings if name in choice.binary]


def test_layers_that_save_nothing_are_in_no_choice():
    (nothing,) = front({"a": -1.0, "b": 0.0}, {"a": 5, "b": 5})
    assert nothing.binary == ()
    assert front({}, {}) == (nothing,)


def test_a_long_front_is_thinned_out_and_stays_close(monkeypatch):
    savings, weights = drawn(1, count=14)
    exact = front(savings, weights, steps=10)
    monkeypatch.setattr(module, "POINTS", 64)
    thinned = front(savings, weights, steps=10)
    assert thinned[-1].binary == exact[-1].binary
    for choice in thinned:
        rivals = [other.saving for other in exact if other.weight <= choice.weight]
        assert choice.saving >= 0.95 * max(rivals)
