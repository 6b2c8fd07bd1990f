"""A small network is compiled and measured on this machine, once: the same structure is found again on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from b2nn_tvm.costs.table import NetworkRow
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.loop.measuring.build_network import label_of
from b2nn_tvm.loop.measuring.measure_network import measure_networks, measuring_machine
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.measuring.time_rows import network_row
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from tests.support.loop.small_job import NAMES, small_job

HALF = NAMES[2:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("measured")


@pytest.fixture(scope="module")
def time(folder: Path) -> NetworkTime:
    (time,) = measure_networks(small_job(folder / "state"), [HALF], layers=True)
    return time


def test_every_layer_has_a_row_in_its_precision(time: NetworkTime) -> None:
    rows = {row.layer: row for row in time.layers}
    assert {name: rows[name].precision for name in NAMES} == {
        name: "binary" if name in HALF else "float" for name in NAMES
    }
    assert rows["conv1"].precision == "float" and rows[HALF[0]].workload.startswith("conv2d_n1_c4_h8_w8_o8_k3x3")
    assert time.binary == HALF and time.network().binary == HALF
    assert 0 < time.ms == time.network().ms and time.runs > 0 and time.size_bytes > 0
    assert {row.target for row in time.layers} == {"native"} and {row.threads for row in time.layers} == {1}


def test_it_is_not_measured_again_whatever_the_weights_and_the_order(folder: Path, time: NetworkTime) -> None:
    job = small_job(folder / "state")
    samples = {path: path.stat().st_mtime_ns for path in (folder / "costs.json.samples").iterdir()}
    with torch.no_grad():
        job.model.conv1.weight.add_(1)
    assert measure_networks(job, [HALF[::-1]], layers=True) == [time]
    assert job.state.reused == [f"layer-times/{label_of(job, HALF)}"]
    assert samples == {path: path.stat().st_mtime_ns for path in samples} and len(samples) == 1


def test_a_label_counts_the_layers_and_tells_choices_apart(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    labels = [label_of(job, binary) for binary in ((), HALF, NAMES[:2], NAMES)]
    assert [label.rpartition("-")[0] for label in labels] == ["0-of-4", "2-of-4", "2-of-4", "4-of-4"]
    assert len(set(labels)) == 4 and label_of(job, HALF[::-1]) == labels[1]


def test_the_row_of_a_network_says_where_it_was_measured(tmp_path: Path, time: NetworkTime) -> None:
    job = small_job(tmp_path)
    expected = NetworkRow("net", HALF, time.ms, time.runs, time.spread, "native", time.device, 1)
    expected = replace(expected, low_ms=time.low_ms, high_ms=time.high_ms, fingerprint=time.fingerprint)
    assert network_row(job, time) == expected and time.device in time.fingerprint
    name, _, cpu, system = measuring_machine(job)
    assert name and system and time.device and isinstance(cpu, str)


class Forgetful(ConversionOptions):
    """Converts no layer, whichever are named."""

    def convert(self, model, layers):
        return super().convert(model, ())


def test_a_layer_that_the_compiler_leaves_float_is_an_error(tmp_path: Path) -> None:
    job = small_job(tmp_path, conversion=Forgetful())
    with pytest.raises(UnsupportedError, match=r"layer stage1.0.conv1 was to be binary, but .* left it float: "):
        measure_networks(job, [NAMES[:1]])
    assert not list(tmp_path.rglob("phase.json"))
