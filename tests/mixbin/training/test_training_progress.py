"""Steps and epochs are told one by one, and what is sent arrives; test_train.py hears processes that it spawns."""

from __future__ import annotations

import pytest

from b2nn_tvm.mixbin.training.finish import StageProgress
from b2nn_tvm.mixbin.training.fit_stage import fit
from b2nn_tvm.mixbin.training.hardware import HERE
from b2nn_tvm.mixbin.training.loss import CrossEntropy
from b2nn_tvm.mixbin.training.recipe import Recipe
from b2nn_tvm.mixbin.training.train import Supervised
from b2nn_tvm.mixbin.training.training_progress import relayed
from tests.support.mixbin.training import StopAfter, Told, network, stop_after


def test_a_later_stage_counts_on_from_the_epochs_before_it(data):
    """The second of three epochs in all, of 10 steps each."""
    told = Told()
    recipe = Recipe("float", epochs=1, lr=1e-3, decay=0.0, batch=32, seed=0)
    progress = StageProgress(told, "fine-tune", first=1, total=3)
    (record,) = fit(network(), data, Supervised(CrossEntropy()), recipe=recipe, hardware=HERE, told=progress)
    assert told.phases == {"fine-tune"} and told.total == 30 and told.steps == list(range(11, 21))
    assert told.epochs == [f"loss {record.loss:.3f}, accuracy {record.accuracy:.1%}"]


def tell(progress, steps):
    for done in range(1, steps + 1):
        progress("train", done, steps, f"step {done}")


def test_what_is_sent_is_heard_before_the_end():
    heard = []
    with relayed(lambda *call: heard.append(call)) as progress:
        tell(progress, 3)
        progress("train", 3, 3)
    assert heard == [*(("train", done, 3, f"step {done}") for done in (1, 2, 3)), ("train", 3, 3, "")]


def test_what_a_listener_raises_is_raised_when_all_is_said():
    with (
        pytest.raises(StopAfter),
        relayed(lambda phase, done, total, detail: stop_after(2)(phase, done, total)) as told,
    ):
        tell(told, 5)
