"""Exact costs are counted, milliseconds fitted to whole networks; the times are those of a made-up device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import b2nn_tvm
from b2nn_tvm.costs.options import layer_of, option, precision_of, precisions_of
from b2nn_tvm.costs.table import CostRow
from b2nn_tvm.data import DataBundle, TensorImages
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring import measure_costs
from b2nn_tvm.loop.measuring.build_network import build_network
from b2nn_tvm.loop.measuring.measure_costs import exact_cost, measure_cost, refit, unprofitable_layers
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.progress import silent
from b2nn_tvm.storage.phase_cache import State
from tests.support.loop.small_job import BINARY_MS, FLOAT_MS, NAMES, REST_MS, Device, made_up_cost, small_job


@pytest.mark.parametrize("binary", [(), NAMES[:1], NAMES])
def test_flops_are_those_of_the_network(tmp_path: Path, binary: tuple[str, ...]) -> None:
    job = small_job(tmp_path)
    assert exact_cost(job, "flops").total(binary) == b2nn_tvm.flops(job.model, (1, 8, 8), binary=binary)


def test_bytes_are_those_of_the_parameters_and_fewer_where_bits_take_their_place(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    cost = exact_cost(job, "bytes")
    assert cost.unit == "bytes" and cost.full == 4 * sum(one.numel() for one in job.model.parameters())
    weights = 4 * 4 * 9
    assert cost.float_cost[NAMES[0]] == 4 * weights and weights / 8 <= cost.binary_cost[NAMES[0]] < weights


def test_all_float_all_binary_and_seeded_mixtures_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, device = small_job(tmp_path, masks=3, seed=5), Device()
    monkeypatch.setattr(measure_costs, "measure_networks", device.measure_networks)
    measured = measure_cost(job)
    first, second, *mixtures = device.asked
    assert (first, second) == ((), NAMES)
    assert [len(set(mixture)) for mixture in mixtures] == [1, 2, 3]
    assert measured.float_ms == REST_MS + 4 * FLOAT_MS and measured.binary_ms == REST_MS + 4 * BINARY_MS
    again = Device()
    monkeypatch.setattr(measure_costs, "measure_networks", again.measure_networks)
    assert measure_cost(job) == measured and again.asked == device.asked


def test_one_layer_alone_has_no_mixtures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, device = small_job(tmp_path, masks=3), Device()
    rows = tuple(replace(row, eligible=row.name == NAMES[0]) for row in whole.layers)
    layers = replace(whole.layers, rows=rows)
    monkeypatch.setattr(measure_costs, "measure_networks", device.measure_networks)
    measure_cost(replace(whole, layers=layers))
    assert device.asked == [(), NAMES[:1]]


def test_a_device_that_adds_up_is_predicted_exactly(tmp_path: Path) -> None:
    measured = made_up_cost(small_job(tmp_path), Device())
    cost = measured.fitted.cost
    assert float(cost.total(NAMES[1:3])) == pytest.approx(REST_MS + 2 * FLOAT_MS + 2 * BINARY_MS, rel=1e-3)
    assert measured.fitted.prior_error == pytest.approx(0, abs=1e-9)
    assert {row.precision for row in measured.table.layers if row.layer in NAMES} == {"float", "binary"}
    assert [(row.model, row.binary) for row in measured.table.networks] == [("net", ()), ("net", NAMES)]


def test_a_mixture_corrects_the_sum_of_layers(tmp_path: Path) -> None:
    job, device = small_job(tmp_path), Device(factor=1.3)
    half = NAMES[:2]
    plain = refit(job, [device(job, ()), device(job, NAMES)])
    better = refit(job, [*plain.networks, device(job, half)])
    true = device(job, half).ms
    off = lambda measured: abs(float(measured.fitted.cost.total(half)) / true - 1)
    assert off(better) < 0.5 * off(plain) and better.fitted.networks == 3
    assert better.fitted.prior_error == pytest.approx((1 - 1 / 1.3) / 3, rel=1e-6)


def test_each_precision_is_measured_in_a_network_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of layers come from the networks in which all layers that may have a precision have it."""
    job = small_job(tmp_path, masks=4, seed=2, precisions="1,8,32")
    costs = {"float": FLOAT_MS, "int8": 0.3, "binary": BINARY_MS}
    asked: list[tuple[str, ...]] = []

    def time_of(choice: tuple[str, ...]) -> NetworkTime:
        asked.append(choice)
        words = dict.fromkeys(job.choosing, "float") | precisions_of(choice)
        row = lambda name, word: CostRow(name, job.workloads[name], word, costs[word], 9, 0.01, "native", "made up", 1)
        rows = tuple(row(name, word) for name, word in words.items())
        return NetworkTime(choice, REST_MS + sum(each.ms for each in rows), 0.01, 9, 1000, "made up", "none", rows)

    monkeypatch.setattr(
        measure_costs, "measure_networks", lambda _job, choices, **_: [time_of(tuple(each)) for each in choices]
    )
    measured = measure_cost(job)
    int8 = tuple(f"{name}@int8" for name in job.choosing)
    assert asked[:3] == [(), NAMES, int8] and measured.ends == 3
    assert all(len(precisions_of(mixture)) == len(mixture) for mixture in asked[3:])
    assert {precision_of(each) for mixture in asked[3:] for each in mixture} == {"binary", "int8"}
    assert measured.binary_ms == pytest.approx(REST_MS + len(int8) * 0.3)  # faster than four binary layers alone
    cost = measured.fitted.cost
    mixed = (f"{job.choosing[0]}@int8", *NAMES)
    assert cost.total(mixed) == pytest.approx(time_of(mixed).ms, rel=0.02) and not cost.transitions
    assert unprofitable_layers(measured) == ()


@pytest.mark.sweep
def test_bytes_are_those_of_the_compiled_layers(tmp_path: Path) -> None:
    """In every precision, for a target that packs bits and bytes without any room between them; 32 filters are whole
    vectors, and 64 channels are whole words.
    """
    layers = [torch.nn.Conv2d(64, 32, 3, padding=1) for _ in range(4)]
    blocks = [(layer, torch.nn.BatchNorm2d(32), torch.nn.ReLU(), torch.nn.Conv2d(32, 64, 1)) for layer in layers]
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3), *(part for block in blocks for part in block)).eval()
    split = TensorImages(torch.randn(8, 3, 8, 8), torch.zeros(8, dtype=torch.long))
    data = DataBundle("noise", split, split, split, ("a",), (3, 8, 8), (0.0,) * 3, (1.0,) * 3)
    settings = SearchSettings.from_keywords(precisions="1,2,8,32", target="x86-vpopcntdq")
    job = Job("net", model, trace(model, (3, 8, 8)), data, settings, State(tmp_path), silent)
    names = [name for name, module in model.named_modules() if module in layers]
    choice = [option(name, word) for name, word in zip(names, ("binary", "w1a2", "w2a2", "int8"), strict=True)]
    cost, rows = exact_cost(job, "bytes"), {row.name: row for row in build_network(job, choice).layers}
    for each in choice:
        row = rows[layer_of(each)]
        assert row.precision == precision_of(each)
        assert row.weight_bytes + 4 * 32 == cost.binary_cost[each]
