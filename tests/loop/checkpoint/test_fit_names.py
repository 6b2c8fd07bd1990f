"""What wrappers put in front of names, and into them."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm.loop.checkpoint.fit_names import fit_names

OWN = ("conv1.weight", "layer1.0.conv1.weight", "fc.weight")
ZERO = torch.zeros(1)


@pytest.mark.parametrize(
    "prefix", ["", "module.", "_orig_mod.", "model.", "net.", "module._orig_mod.", "model._orig_mod.module.", "a.b.c."]
)
def test_any_prefix_is_found_in_the_file_and_in_the_network(prefix: str) -> None:
    wrapped = [prefix + name for name in OWN]
    for names, own in ((wrapped, OWN), (OWN, wrapped)):
        tensors = {name: torch.tensor(float(number)) for number, name in enumerate(names)}
        fitted = fit_names(tensors, own)
        assert {name: tensor.item() for name, tensor in fitted.weights.items()} == dict(zip(own, (0.0, 1.0, 2.0)))
        assert not fitted.unknown and not fitted.outside


def test_wrappers_in_the_middle() -> None:
    """torchvision's AlexNet and VGG were trained with their features alone in DataParallel."""
    fitted = fit_names(
        {"features.module.0.weight": ZERO, "classifier.weight": ZERO}, ["features.0.weight", "classifier.weight"]
    )
    assert set(fitted.weights) == {"features.0.weight", "classifier.weight"}


def test_a_part_of_the_network_that_is_called_module_is_kept() -> None:
    own = ["module.weight", "weight"]
    assert set(fit_names(dict.fromkeys(own, ZERO), own).weights) == set(own)


def test_what_is_beside_the_network_and_what_is_in_it_but_unknown() -> None:
    names = [
        *(f"model.{name}" for name in OWN),
        "model.extra.weight",
        "model.total_ops",
        "criterion.weight",
        "n_averaged",
    ]
    fitted = fit_names(dict.fromkeys(names, ZERO), OWN)
    assert set(fitted.weights) == set(OWN) and fitted.prefix == "model."
    assert fitted.unknown == {"model.extra.weight": "extra.weight"} and fitted.outside == ("criterion.weight",)


@pytest.mark.parametrize(
    ("best", "other"),
    [
        ("", "model."),
        ("ema_model.", "model."),
        ("net_ema.", "model."),
        ("model.", "encoder."),
        ("student.", "teacher."),
        ("encoder_q.", "encoder_k."),
        ("online_encoder.", "target_encoder."),
    ],
)
def test_of_several_networks_the_one_that_is_preferred_by_name_is_taken(best: str, other: str) -> None:
    for prefixes in ((best, other), (other, best)):
        fitted = fit_names(dict.fromkeys([f"{prefix}{name}" for prefix in prefixes for name in OWN], ZERO), OWN)
        assert (fitted.prefix, fitted.rivals) == (best, ())


def test_networks_that_are_alike_by_name_are_rivals() -> None:
    names = [f"{prefix}{name}" for prefix in ("a.generator.", "b.critic.") for name in OWN]
    fitted = fit_names(dict.fromkeys(names, ZERO), OWN)
    assert {fitted.prefix, *fitted.rivals} == {"a.generator.", "b.critic."}


def test_nothing_in_common() -> None:
    fitted = fit_names({"a.b": ZERO}, OWN)
    assert not fitted.weights and fitted.unknown == {"a.b": "a.b"}
