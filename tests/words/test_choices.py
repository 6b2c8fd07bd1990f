"""The words that commands check before they import anything are those of the code."""

from __future__ import annotations

import inspect

import pytest

from b2nn_tvm import data, models
from b2nn_tvm.data import adjust
from b2nn_tvm.mixbin.modules import activations, binarizers
from b2nn_tvm.mixbin.progressive import settings as progressive
from b2nn_tvm.mixbin.selection import select
from b2nn_tvm.mixbin.selectors import registry
from b2nn_tvm.mixbin.training.hardware import PRECISIONS
from b2nn_tvm.mixbin.training.recipes.presets import PRESETS as RECIPES
from b2nn_tvm.study import settings as study
from b2nn_tvm.words import choices as words


def test_the_words_are_the_names_in_the_code() -> None:
    scoring = [name for name in models.names() if "classes" in inspect.signature(models.get(name)).parameters]
    assert list(words.CLASSIFIERS) == scoring
    assert registry.names() == words.METHODS
    assert (words.RULES, words.SOLVERS, words.ORDERS) == (select.RULES, select.SOLVERS, progressive.WORDS)
    assert set(words.BINARIZERS) == set(binarizers.names()) and set(words.ACTIVATIONS) == set(activations.names())
    assert (adjust.AUGMENTATIONS, data.names()) == (words.AUGMENTATIONS, words.DATA_SETS)
    assert all(study.preset(name) for name in words.PRESETS)
    assert tuple(RECIPES) == words.RECIPES
    assert PRECISIONS == words.TRAINING_PRECISIONS


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("cresnet21", " (did you mean cresnet20?)"),
        ("CResNet20", " (did you mean cresnet20?)"),
        ("transformer", ""),
        ("nets.make_net", " (did you mean nets:make_net?)"),
        ("my.pkg.nets.make_net", " (did you mean my.pkg.nets:make_net?)"),
        ("../nets.py", ""),
    ],
)
def test_what_is_meant_by_a_networks_name(word: str, meant: str) -> None:
    assert words.meant_network(word) == meant


def test_what_is_meant_by_another_word() -> None:
    assert words.did_you_mean("mixbin-los", words.METHODS) == " (did you mean mixbin-loss?)"
    assert words.did_you_mean("magic", words.METHODS) == ""
