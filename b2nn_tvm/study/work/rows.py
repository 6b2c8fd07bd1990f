"""The row of results.csv for a cell whose training is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from b2nn_tvm.study.cells import Cell
from b2nn_tvm.study.table import Row
from b2nn_tvm.study.work.trainings import Trainings, parent_name


def row_of(cell: Cell, trainings: Trainings, found: Mapping[str, Mapping[str, Any]]) -> Row:
    """The row of ``cell``, whose parents are trained; ``found`` has the results of the fine-tunings by name."""
    settings, network = trainings.settings, cell.network
    parent = trainings.parents[parent_name(network, cell.seed)]
    own = found.get(cell.training, {"before": parent, "after": parent, "seconds": 0.0})
    left = own["flops"] if cell.choice is None else cell.choice.flops
    full = int((cell.teacher or network).cost.full)
    return Row(
        part=cell.part,
        method=cell.method,
        budget=cell.budget,
        seed=cell.seed,
        layers=" ".join(cell.choice.binary) if cell.choice else "",
        share=left / full,
        flops=left,
        float_flops=full,
        topped_up=int(bool(cell.choice and cell.choice.topped_up)),
        validation_before=own["before"]["validation"],
        test_before=own["before"]["test"],
        validation=own["after"]["validation"],
        test=own["after"]["test"],
        epochs=settings.epochs if cell.training else 0,
        seconds=own["seconds"],
        training=cell.training or parent_name(network, cell.seed),
        model=network.net.model,
        width=network.net.width,
        activation=network.net.activation,
        data=settings.data,
        images=len(trainings.bundle.train),
        tested=len(trainings.bundle.test),
        float_epochs=settings.float_epochs,
        recipe=cell.recipe or settings.recipe,
        draw=cell.draw,
        training_precision=settings.training_precision,
    )
