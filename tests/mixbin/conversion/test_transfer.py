"""A plan of one data set fits the same network for another one, and is refused by others with what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm import models
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.conversion.transfer import transfer
from b2nn_tvm.mixbin.network.layers import LayerTable, trace
from b2nn_tvm.plan import Certificate, Plan, Precision
from b2nn_tvm.workload import ConvWorkload


def layers(*, width: int = 8, classes: int = 10, channels: int = 3, size: int = 32) -> LayerTable:
    return trace(models.cresnet20(classes, channels, width=width, image_size=size), (channels, size, size))


def plan_of(table: LayerTable, binary: list[str]) -> Plan:
    precisions = {layer.name: Precision.BINARY if layer.name in binary else Precision.FLOAT for layer in table}
    return Plan(
        precisions,
        {layer.name: layer.workload.key for layer in table},
        "cresnet20",
        "mixbin-loss",
        "40%flops",
        4e6,
        "flops",
        certificate=Certificate(0.5, 0.5, 0.0, "exact"),
    )


BINARY = ["stage1.0.conv1", "stage2.0.conv1", "stage3.2.conv2"]


def test_another_size_other_channels_and_other_classes(tmp_path: Path) -> None:
    plan = Plan.load(plan_of(layers(), BINARY).save(tmp_path / "plan.json"))
    there = layers(classes=20, channels=1, size=16)
    moved = transfer(plan, there, model="other")
    assert moved.binary == plan.binary == tuple(BINARY) and moved.digest == plan.digest
    assert moved.workloads == {layer.name: layer.workload.key for layer in there} != plan.workloads
    assert (moved.model, moved.method, moved.budget, moved.predicted) == ("other", "mixbin-loss", "40%flops", 0.0)
    assert moved.certificate is None
    converted = convert(models.cresnet20(20, 1, width=8, image_size=16), moved)
    assert [name for name, module in converted.named_modules() if type(module).__name__ == "BinaryConv2d"] == BINARY


def test_other_convolutions_are_refused_with_how_they_differ() -> None:
    with pytest.raises(
        InputError, match=r"stage1\.0\.conv1 \(in channels 8 there, 16 here, out channels 8 there, 16 here\)"
    ):
        transfer(plan_of(layers(), BINARY), layers(width=16))


@pytest.mark.parametrize(
    ("word", "value", "text"),
    [("kernel", (5, 5), "kernel 5x5 there, 3x3 here"), ("stride", (2, 2), "stride 2x2 there, 1x1 here")],
)
def test_kernel_and_stride_count(word: str, value: tuple[int, int], text: str) -> None:
    table = layers()
    plan = plan_of(table, BINARY)
    changed = replace(table["stage1.0.conv1"].workload, **{word: value}).key
    with pytest.raises(InputError, match=text):
        transfer(replace(plan, workloads={**plan.workloads, "stage1.0.conv1": changed}), table)


def test_missing_barred_and_unnamed_layers_are_named() -> None:
    other = trace(models.resnet18(10, width=8), (3, 32, 32))
    with pytest.raises(
        InputError,
        match=r"has no stage1\.0\.conv1, stage2\.0\.conv1, stage3\.2\.conv2; the plan says nothing of layer1\.0\.conv1",
    ):
        transfer(plan_of(layers(), BINARY), other)
    with pytest.raises(InputError, match=r"cannot have their precision: conv1 as binary \(first convolution\)"):
        transfer(plan_of(layers(), ["conv1"]), layers())


def test_keys_of_workloads_read_back() -> None:
    workload = ConvWorkload(2, 16, 33, 31, 24, (3, 5), (2, 1), (1, 2, 3, 4), (1, 2), 4)
    assert ConvWorkload.parse(workload.key) == workload
    for key in ("conv2d_n1", workload.key + "x1", workload.key.replace("k3x5", "k3")):
        with pytest.raises(InputError, match="is no workload"):
            ConvWorkload.parse(key)
