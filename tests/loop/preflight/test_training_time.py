"""The time of a training is told where it is worth telling."""

from __future__ import annotations

import pytest

from b2nn_tvm.loop.preflight import training_time
from b2nn_tvm.loop.preflight.training_time import training_words
from b2nn_tvm.loop.settings import TrainingSettings
from tests.support.mixbin.training import few_digits, network


def test_the_time_is_that_of_all_epochs_of_all_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    data = few_digits()
    monkeypatch.setattr(training_time, "seconds_per_image", lambda *_, **__: 10 / len(data.train))
    standard = TrainingSettings(recipe="standard", float_epochs=60)
    assert training_words(network(), data, standard, tuned=3) == (
        "training by the recipe standard takes about 14 minutes for 60 epochs of the float network and 11 minutes for"
        " 30 epochs of each of 3 networks on this machine"
    )
    assert "the chosen network" in training_words(network(), data, TrainingSettings(float_epochs=0), tuned=1)


def test_what_takes_no_time_is_not_told() -> None:
    nothing, little = TrainingSettings(epochs=0, float_epochs=0), TrainingSettings(epochs=1, float_epochs=1)
    assert training_words(network(), few_digits(), nothing, tuned=1) == ""
    assert training_words(network(), few_digits(), little, tuned=1) == ""
