"""Plans carried between two data sets, from made-up scores, and for real at toy size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.study.run import study
from b2nn_tvm.study.settings import StudySettings
from b2nn_tvm.study.transfer.compare import Transfer
from b2nn_tvm.study.work.trainings import Trainings
from tests.support.study.few_digits import FEWER, NAME

SETTINGS = StudySettings(
    model="vgg_small",
    width=4,
    data=NAME,
    other_data=FEWER,
    methods=(),
    activations=(),
    budgets=(60,),
    seeds=1,
    images=64,
    calibration=32,
    float_epochs=1,
    epochs=1,
)


def test_each_plan_is_used_where_it_was_found_and_on_the_other_data(tmp_path: Path) -> None:
    state = State(tmp_path)
    first = Trainings(SETTINGS, state, parents={})
    second = Trainings(replace(SETTINGS, data=FEWER), state, parents={}, place="other")
    transfer = Transfer(SETTINGS, first, second)
    names = [name for name, _ in transfer.scoring_items(planned=True)]
    assert names == [
        "scores/vgg_small-4-binrelu/seed-0/mixbin-loss",
        "scores/other/vgg_small-4-binrelu/seed-0/mixbin-loss",
    ]
    assert [name for name, _ in transfer.parent_items()] == [
        "parents/vgg_small-4-binrelu/seed-0",
        "parents/other/vgg_small-4-binrelu/seed-0",
    ]
    layers = transfer._sides[0].network.cost.names
    rising = {name: float(place) for place, name in enumerate(layers)}
    falling = {name: -harm for name, harm in rising.items()}
    transfer.choose({names[0]: {"scores": [rising]}, names[1]: {"scores": [falling]}}, SimpleNamespace())
    cells = {cell.method: cell for cell in transfer.cells()}
    own, other = (cells[f"own plan, {side} data"].choice.binary for side in ("first", "second"))
    assert own != other and layers[0] in own and layers[-1] in other
    assert cells["carried plan, second data"].choice.binary == own
    assert cells["carried plan, first data"].choice.binary == other
    assert [cell.network.place for cell in cells.values()] == ["", "other", "", "other"]
    assert transfer.most == 4 == len(cells)


@pytest.mark.sweep
def test_both_data_sets_have_their_rows(tmp_path: Path) -> None:
    found = study(SETTINGS, output=tmp_path, jobs=1, hypothesis=5)
    assert found.failed == {}
    assert sorted((row.method, row.data) for row in found.rows) == sorted(
        (f"{kind} plan, {side} data", data)
        for kind in ("own", "carried")
        for side, data in (("first", NAME), ("second", FEWER))
    )
    assert all(row.share <= 0.62 and row.binary for row in found.rows)
