"""What is trained for each method, budget and seed, from scores alone."""

from __future__ import annotations

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.study.cells import LONGER, Network, activation_cells, method_cells
from b2nn_tvm.study.choice import Choice
from b2nn_tvm.study.settings import SLIMMING, StudySettings
from b2nn_tvm.study.tasks import Net

COST = AdditiveCost("flops", 10, {"a": 20, "b": 20, "c": 10, "d": 40}, dict.fromkeys("abcd", 0))
FRONT = {name: float(index) for index, name in enumerate("abcd")}
REAR = {name: -score for name, score in FRONT.items()}
NETWORK = Network(Net("net", 8, "relu"), COST, 0.001)
SETTINGS = StudySettings(methods=("front", "rear", SLIMMING), budgets=(60,), seeds=1)
SCORES = {("front", 0, 0): [FRONT], ("rear", 0, 0): [REAR]}


def test_methods_at_equal_cost_and_slimming_with_what_they_keep() -> None:
    cells = {cell.method: cell for cell in method_cells(SETTINGS, NETWORK, SCORES)}
    assert cells["all float"].choice.binary == () and cells["all binary"].choice.binary == tuple("abcd")
    assert cells["front"].choice == Choice(("a", "b"), 60, False)
    assert cells["rear"].choice == Choice(("d",), 60, False)
    assert cells[SLIMMING].choice is None and cells[SLIMMING].limit == 60


def test_topping_up_can_be_left_out() -> None:
    scores = {("front", 0, 0): [{"a": 2.0, "b": 1.0, "c": 0.0, "d": 3.0}], ("rear", 0, 0): [REAR]}
    chosen = lambda top_up: {
        cell.method: cell.choice
        for cell in method_cells(
            StudySettings(methods=("front", "rear"), budgets=(60,), seeds=1, top_up=top_up), NETWORK, scores
        )
    }
    assert chosen(False)["front"] == Choice(("a", "b", "c"), 50, False)
    assert chosen(True)["front"] == Choice(("a", "b"), 60, True)


def test_equal_choices_have_the_same_training_and_other_seeds_another() -> None:
    both = {("front", 0, 0): [FRONT], ("greedy", 0, 0): [FRONT], ("front", 1, 0): [FRONT]}
    settings = StudySettings(methods=("front", "greedy"), budgets=(60,), seeds=2)
    names = {(cell.method, cell.seed): cell.training for cell in method_cells(settings, NETWORK, both)}
    assert names["front", 0] == names["greedy", 0] != names["front", 1]
    assert names["all float", 0] == ""


def test_the_draws_of_a_random_order_are_cells_of_their_own_and_the_float_network_can_be_trained_on() -> None:
    scores = {("random", 0, 0): [FRONT], ("random", 0, 1): [REAR]}
    settings = StudySettings(methods=("random",), budgets=(60,), seeds=1, draws=2, longer_float=True)
    cells = list(method_cells(settings, NETWORK, scores))
    assert [(cell.draw, cell.choice.binary) for cell in cells if cell.method == "random"] == [
        (0, ("a", "b")),
        (1, ("d",)),
    ]
    (longer,) = [cell for cell in cells if cell.method == LONGER]
    assert (
        longer.choice.binary == ()
        and longer.tuned
        and longer.training.startswith("networks/net-8-relu/seed-0/0-layers")
    )


def test_activations_are_compared_at_three_levels() -> None:
    cells = list(activation_cells(NETWORK, {("mixbin-loss", 0, 0): [FRONT]}))
    assert [(cell.method, cell.budget, cell.choice.binary) for cell in cells] == [
        ("relu", "zero", ()),
        ("relu", "partial", ("a", "b", "c")),  # 55 is half-way from 10 to 100
        ("relu", "full", ("a", "b", "c", "d")),
    ]


def test_the_all_binary_network_is_tuned_by_each_ablation() -> None:
    recipe = "standard without warm-up"
    settings = StudySettings(methods=(), activations=(), ablations=(recipe,), seeds=1)
    cells = {cell.method: cell for cell in method_cells(settings, NETWORK, {})}
    own, other = cells["all binary"], cells[recipe]
    assert own.choice == other.choice and other.training == f"{own.training}-standard-without-warm-up"
