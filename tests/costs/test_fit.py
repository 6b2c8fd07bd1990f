"""The fit against networks whose true cost is known."""

import itertools
import random
from dataclasses import replace

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.fit import MeasuredNetwork, fit
from b2nn_tvm.costs.footprint import Footprint
from b2nn_tvm.costs.transitions import Transition
from b2nn_tvm.errors import InputError

NAMES = [f"layer{i}" for i in range(12)]


def truth_and_prior(*, scale=1.0, offset=0.0, noise=0.0):
    """A true cost, and a table that distorts it: too small by ``scale``, without ``offset``, noisy per layer."""
    rng = random.Random(0)
    float_cost = {name: rng.uniform(0.5, 2) for name in NAMES}
    binary_cost = {name: value * rng.uniform(0.1, 0.4) for name, value in float_cost.items()}
    truth = AdditiveCost("ms", 1.0 + offset, float_cost, binary_cost)
    blur = lambda costs: {name: value / scale * (1 + rng.uniform(-noise, noise)) for name, value in costs.items()}
    return truth, AdditiveCost("ms", 1.0, blur(float_cost), blur(binary_cost))


def networks(truth, count, *, seed=1, noise=0.0):
    rng = random.Random(seed)
    masks = [(), tuple(NAMES)] + [tuple(n for n in NAMES if rng.random() < 0.5) for _ in range(count - 2)]
    return [MeasuredNetwork(mask, truth.total(mask) * (1 + rng.uniform(-noise, noise))) for mask in masks[:count]]


def relative_error(cost, truth):
    unseen = networks(truth, 60, seed=99)
    return sum(abs(cost.total(n.binary) / n.ms - 1) for n in unseen) / len(unseen)


def test_a_few_networks_recover_a_scale_and_an_offset():
    truth, prior = truth_and_prior(scale=1.5, offset=2.0)
    fitted = fit(prior, networks(truth, 4))
    assert relative_error(prior, truth) > 0.3
    assert relative_error(fitted.cost, truth) < 0.005
    assert fitted.prior_error > 0.3 and fitted.error < 0.02 and fitted.networks == 4


@pytest.mark.parametrize("count", [5, 8])
def test_a_few_networks_help_a_noisy_table(count):
    truth, prior = truth_and_prior(scale=1.4, offset=0.5, noise=0.15)
    fitted = fit(prior, networks(truth, count, noise=0.01))
    assert relative_error(fitted.cost, truth) < 0.25 * relative_error(prior, truth)
    assert fitted.error < 0.06


def test_many_networks_recover_each_layer():
    truth, prior = truth_and_prior(scale=1.3, noise=0.5)
    fitted = fit(prior, networks(truth, 44))
    assert relative_error(fitted.cost, truth) < 0.002
    for name in NAMES:
        assert fitted.cost.saving(name) == pytest.approx(truth.saving(name), rel=0.05, abs=0.02)


def test_one_network_sets_the_scale():
    truth, prior = truth_and_prior(scale=2.0)
    only = networks(truth, 1)
    fitted = fit(prior, only)
    assert fitted.cost.total(()) == pytest.approx(only[0].ms, rel=0.01)
    assert fitted.error != fitted.error  # there is nothing to leave out


def test_the_leave_one_out_error_tells_good_from_bad_measurements():
    truth, prior = truth_and_prior()
    clean = fit(prior, networks(truth, 12)).error
    noisy = fit(prior, networks(truth, 12, noise=0.2)).error
    assert clean < 0.005 and noisy > 0.03


def test_all_terms_stay_non_negative():
    truth, prior = truth_and_prior(noise=0.5)
    cost = fit(prior, networks(truth, 20, noise=0.3)).cost
    assert min([cost.fixed, *cost.float_cost.values(), *cost.binary_cost.values()]) >= 0


PAIRS = [Transition((NAMES[i], NAMES[i + 1]), "binary", 0.0, "signs of one tensor") for i in range(0, 12, 2)]


@pytest.mark.parametrize("count", [28, 44])
def test_a_shared_pack_is_found_and_predicts_better(count):
    """Two of six tensors have signs that cost a tenth of the network; the table knows nothing of them."""
    truth, prior = truth_and_prior(scale=1.3, noise=0.1)
    packs = tuple(replace(shared, cost=1.5) for shared in PAIRS[:2])
    truth = replace(truth, transitions=packs)
    measured = networks(truth, count, noise=0.003)
    alone, shared = fit(prior, measured), fit(prior, measured, transitions=PAIRS)
    assert alone.cost.transitions == ()
    assert relative_error(shared.cost, truth) < 0.7 * relative_error(alone.cost, truth)
    assert shared.error < alone.error
    found = {each.layers: each.cost for each in shared.cost.transitions}
    assert all(each.when == "binary" and each.reason == "signs of one tensor" for each in shared.cost.transitions)
    assert min(found[each.layers] for each in packs) > max(
        (cost for layers, cost in found.items() if layers not in {each.layers for each in packs}), default=0
    )


@pytest.mark.parametrize("count", [2, 6, 20])
def test_candidates_that_the_measurements_do_not_ask_for_do_no_harm(count):
    truth, prior = truth_and_prior(scale=1.2, offset=0.3, noise=0.1)
    measured = networks(truth, count, noise=0.01)
    alone, offered = fit(prior, measured), fit(prior, measured, transitions=PAIRS)
    assert offered.error <= alone.error
    assert relative_error(offered.cost, truth) <= 1.1 * relative_error(alone.cost, truth) + 1e-4


def test_too_few_networks_to_tell_leave_shared_costs_out():
    """16 networks for 24 layer terms: shared terms lower the leave-one-out error, but no more than chance explains."""
    truth, prior = truth_and_prior(scale=1.3, noise=0.1)
    truth = replace(truth, transitions=tuple(replace(shared, cost=1.5) for shared in PAIRS[:2]))
    measured = networks(truth, 16, noise=0.003)
    assert fit(prior, measured, transitions=PAIRS) == fit(prior, measured)


def test_no_candidates_are_the_fit_as_it_was():
    truth, prior = truth_and_prior(scale=1.2, noise=0.1)
    measured = networks(truth, 8, noise=0.01)
    assert fit(prior, measured, transitions=()) == fit(prior, measured)


def test_the_shared_costs_of_the_prior_are_candidates_too():
    truth, prior = truth_and_prior()
    pack = Transition((NAMES[0], NAMES[1]), "binary", 2.0, "signs")
    truth, prior = replace(truth, transitions=(pack,)), replace(prior, transitions=(replace(pack, cost=0.0),))
    fitted = fit(prior, networks(truth, 44))
    assert [(each.layers, each.cost > 0.5) for each in fitted.cost.transitions] == [(pack.layers, True)]


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(InputError, match="no cost is known for stem"):
        fit(truth_and_prior()[1], [MeasuredNetwork((), 1.0)], transitions=[Transition(("stem",), "float", 0, "copy")])
    _, prior = truth_and_prior()
    with pytest.raises(InputError, match="at least one measured network"):
        fit(prior, [])
    with pytest.raises(InputError, match="above zero"):
        fit(prior, [MeasuredNetwork((), 0.0)])
    with pytest.raises(InputError, match="no cost is known for stem"):
        fit(prior, [MeasuredNetwork(("stem",), 1.0)])


def test_a_network_that_is_faster_all_binary_spoils_no_other_prediction():
    """Any float layer at all costs as much as two layers: the mixtures are predicted as if the whole were not there."""
    truth, prior = truth_and_prior()
    whole = Transition(tuple(NAMES), "float", 0, "not all binary")
    truth = replace(truth, transitions=(replace(whole, cost=2.0),))
    known, others = networks(truth, 8), networks(truth, 20, seed=5)[2:]
    nearly = MeasuredNetwork(tuple(NAMES[1:]), float(truth.total(NAMES[1:])))
    worst = lambda found: max(abs(float(found.cost.total(one.binary)) / one.ms - 1) for one in (*others, nearly))
    apart = fit(prior, known, transitions=[whole])
    assert worst(apart) < 0.01 < worst(fit(prior, known))
    assert float(apart.cost.total(NAMES)) == pytest.approx(float(truth.total(NAMES)), rel=1e-3)
    assert apart.worst < 0.01  # the all-binary network is not predicted from the others
    without = [network for network in known if len(network.binary) < len(NAMES)]
    assert fit(prior, without, transitions=[whole]).cost.transitions == ()


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_what_mixtures_save_is_found(noise):
    """Eight networks suffice: both ends and six mixtures, as a search measures them."""
    plain, prior = truth_and_prior(noise=0.01)
    weights = {name: 10 + index * index for index, name in enumerate(NAMES)}
    truth = replace(plain, footprint=Footprint(weights, 0.25 * float(plain.full)))
    measured = networks(truth, 8, noise=noise)
    without, fitted = fit(prior, measured), fit(prior, measured, weights=weights)
    assert relative_error(without.cost, truth) > 0.02
    assert relative_error(fitted.cost, truth) < 0.008 and fitted.cost.footprint is not None
    assert fitted.cost.footprint.reload == pytest.approx(truth.footprint.reload, rel=0.1 + 20 * noise)


def test_networks_without_a_saving_of_mixtures_are_fitted_as_well_with_it():
    truth, prior = truth_and_prior(scale=1.3, noise=0.02)
    weights = dict.fromkeys(NAMES, 100)
    fitted = fit(prior, networks(truth, 8), weights=weights)
    assert relative_error(fitted.cost, truth) < 0.01


def test_a_quantized_layer_behind_a_float_one_costs_what_the_measurements_say():
    """Each float layer of a chain makes a float tensor be kept, whatever precision the other ones have."""
    names = [f"layer{index}" for index in range(4)]
    options = {each: 1.0 for name in names for each in (name, f"{name}@int8")}
    copies = [Transition(pair, "float", 0, "a float copy") for pair in itertools.pairwise(names)]
    prior = AdditiveCost("ms", 0.5, dict.fromkeys(names, 3.0), options)
    truth = replace(prior, transitions=tuple(replace(each, cost=1.0) for each in copies))
    draw = random.Random(3)
    ways = [tuple(draw.choice((name, f"{name}@int8")) for name in names if draw.random() < 0.6) for _ in range(30)]
    measured = [MeasuredNetwork(way, float(truth.total(way))) for way in dict.fromkeys(ways)]
    error = lambda found: max(abs(float(found.cost.total(one.binary)) / one.ms - 1) for one in measured)
    apart, together = fit(prior, measured), fit(prior, measured, transitions=copies)
    assert together.cost.transitions and error(together) < 0.01 < error(apart)


def test_layers_of_several_options_are_fitted_as_one_sum():
    true = AdditiveCost("ms", 0.5, {"a": 4.0, "b": 3.0}, {"a": 0.5, "a@int8": 1.5, "b@int8": 1.0, "b@w1a2": 0.8})
    choices = [(), ("a",), ("a@int8", "b@int8"), ("b@w1a2",), ("a", "b@int8"), ("a@int8", "b@w1a2")]
    found = fit(
        AdditiveCost("ms", 0.0, true.float_cost, true.binary_cost),
        [MeasuredNetwork(choice, float(true.total(choice))) for choice in choices],
    )
    assert found.cost.total(("a", "b@w1a2")) == pytest.approx(true.total(("a", "b@w1a2")), rel=0.02)
    assert found.cost.names == true.names
