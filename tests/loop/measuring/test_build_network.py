"""A network with some layers binary is built once, whatever its weights; a layer that stays float is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.loop.measuring.build_network import build_network, in_order, label_of
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from tests.support.loop.small_job import NAMES, small_job

HALF = NAMES[2:]


def test_a_label_counts_the_layers_and_tells_choices_apart(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    labels = [label_of(job, binary) for binary in ((), HALF, NAMES[:2], NAMES)]
    assert [label.rpartition("-")[0] for label in labels] == ["0-of-4", "2-of-4", "2-of-4", "4-of-4"]
    assert len(set(labels)) == 4 and label_of(job, HALF[::-1]) == labels[1]


def test_it_is_built_once_whatever_the_weights_and_the_order(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    with build_network(job, HALF) as first:
        assert {row.name for row in first.layers if row.precision == "binary"} == set(HALF)
    with torch.no_grad():
        job.model.conv1.weight.add_(1)
    with build_network(job, HALF[::-1]) as again:
        assert again.manifest.library.sha256 == first.manifest.library.sha256
    assert job.state.reused == [f"networks/{label_of(job, HALF)}"]
    assert in_order(job, (*HALF[::-1], *HALF)) == HALF


class Forgetful(ConversionOptions):
    """Converts no layer, whichever are named."""

    def convert(self, model, layers):
        return super().convert(model, ())


def test_a_layer_that_the_compiler_leaves_float_is_an_error(tmp_path: Path) -> None:
    job = small_job(tmp_path, conversion=Forgetful())
    with pytest.raises(UnsupportedError, match=r"layer stage1.0.conv1 was to be binary, but .* left it float: "):
        build_network(job, NAMES[:1])
    assert not list(tmp_path.rglob("phase.json"))
