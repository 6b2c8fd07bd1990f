"""Floating-point operations by hand, from the papers' layer tables, against the counter, the published totals and
docs/models.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from b2nn_tvm import models
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.mixbin.network.layers import trace
from tests.support.paths import ROOT
from tests.support.sweep import few

PAGE = ROOT / "docs" / "models.md"


@dataclass(frozen=True)
class Row:
    """A convolution of ``inputs`` x ``kernel`` x ``kernel`` weights for each of ``outputs`` channels on ``size`` x
    ``size`` pixels.

    ``pooled`` is the size behind a max pooling. Batch norm (2 per value) and the activation (1) follow.
    """

    size: int
    kernel: int
    inputs: int
    outputs: int
    pooled: int = 0
    eligible: bool = True

    @property
    def macs(self) -> int:
        return self.size**2 * self.kernel**2 * self.inputs * self.outputs

    @property
    def rest(self) -> int:
        pooling = self.size**2 * self.outputs if self.pooled else 0
        return pooling + 3 * (self.pooled or self.size) ** 2 * self.outputs


def fire(size: int, inputs: int, squeeze: int, expand: int, pooled: int = 0) -> list[Row]:
    """The norm and activation of the concatenation counted at its halves."""
    return [Row(size, 1, inputs, squeeze), Row(size, 1, squeeze, expand, pooled), Row(size, 3, squeeze, expand, pooled)]


def separable(size: int, inputs: int, outputs: int) -> list[Row]:
    return [Row(size, 3, 1, inputs, eligible=False), Row(size, 1, inputs, outputs)]


TABLES = {
    "mobilenet": [
        Row(112, 3, 3, 32, eligible=False),
        *separable(112, 32, 64),
        *(*separable(56, 64, 128), *separable(56, 128, 128)),
        *(*separable(28, 128, 256), *separable(28, 256, 256)),
        *(*separable(14, 256, 512), *5 * separable(14, 512, 512)),
        *(*separable(7, 512, 1024), *separable(7, 1024, 1024)),
    ],
    "alexnet": [
        Row(55, 11, 3, 96, pooled=27, eligible=False),
        Row(27, 5, 96, 256, pooled=13),
        Row(13, 3, 256, 384),
        Row(13, 3, 384, 384),
        Row(13, 3, 384, 256, pooled=6),
        Row(1, 6, 256, 4096),
        Row(1, 1, 4096, 4096),
    ],
    "squeezenet": [
        Row(111, 3, 3, 64, pooled=55, eligible=False),
        *(*fire(55, 64, 16, 64), *fire(55, 128, 16, 64, pooled=27)),
        *(*fire(27, 128, 32, 128), *fire(27, 256, 32, 128, pooled=13)),
        *(*fire(13, 256, 48, 192), *fire(13, 384, 48, 192), *fire(13, 384, 64, 256), *fire(13, 512, 64, 256)),
    ],
    "sketchanet": [
        Row(71, 15, 1, 64, pooled=35, eligible=False),
        Row(31, 5, 64, 128, pooled=15),
        Row(15, 3, 128, 256),
        Row(15, 3, 256, 256),
        Row(15, 3, 256, 256, pooled=7),
        Row(1, 7, 256, 512),
        Row(1, 1, 512, 512),
    ],
    "vgg_small": [
        Row(32, 3, 3, 128, eligible=False),
        Row(32, 3, 128, 128, pooled=16),
        Row(16, 3, 128, 256),
        Row(16, 3, 256, 256, pooled=8),
        Row(8, 3, 256, 512),
        Row(8, 3, 512, 512, pooled=4),
    ],
}
# multiply-accumulates, and biases of a convolution
CLASSIFIERS = {
    "mobilenet": (1024 * 1000, 0),
    "alexnet": (4096 * 1000, 1000),
    "squeezenet": (13 * 13 * 512 * 1000, 13 * 13 * 1000),
    "sketchanet": (512 * 250, 250),
    "vgg_small": (4 * 4 * 512 * 10, 10),
}
SHAPES = {
    "cresnet20": (3, 32, 32),
    **dict.fromkeys(("resnet18", "bireal18", "mobilenet", "alexnet", "squeezenet"), (3, 224, 224)),
    "sketchanet": (1, 225, 225),
    "vgg_small": (3, 32, 32),
    "siamfc": (3, 127, 127),
}


def by_hand(name: str) -> tuple[int, int]:
    """All operations, and those of the eligible layers."""
    rows = TABLES[name]
    full = sum(row.macs + row.rest for row in rows) + sum(CLASSIFIERS[name])
    return full, sum(row.macs for row in rows if row.eligible)


def page() -> dict[str, list[str]]:
    """The cells of each network's row."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("mobilenet", 569),  # table 8 of the paper
        ("alexnet", 1135),  # this one and the next: table of Hybrid Binary Networks, float
        ("sketchanet", 608),
        ("squeezenet", 349),  # torchvision's table of models: 0.35 billion
    ],
)
def test_published_millions_of_multiplications(name, macs):
    assert round((sum(row.macs for row in TABLES[name]) + CLASSIFIERS[name][0]) / 1e6) == macs


def test_the_page_has_all_networks_and_the_published_totals():
    assert tuple(page()) == models.names()
    assert re.search(r"1135 and 608\s+million", PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", few(models.names(), {*models.names()} - {"alexnet"}))  # 60 million weights
def test_the_counter_the_page_and_the_docstring_say_what_the_tables_say(name):
    """The networks without a table here are the MixBin paper's, whose printed totals
    tests/mixbin/network/test_flops.py has.
    """
    factory, shape = models.get(name), SHAPES[name]
    model = factory()
    eligible = trace(model, shape).eligible
    full, binary = flops(model, shape), flops(model, shape, eligible)
    if name in TABLES:
        by_table, saved = by_hand(name)
        assert len(eligible) == sum(row.eligible for row in TABLES[name])
        assert (full, binary) == (by_table, by_table - saved + saved // 64)
    channels, height, width = shape
    inputs, full_cell, binary_cell, share, layers, *_ = page()[name]
    assert inputs == f"{channels} x {height} x {width}"
    assert (full_cell, binary_cell, share) == (f"{full:,}", f"{binary:,}", f"{100 * binary / full:.1f} %")
    assert layers.startswith(f"{len(eligible)}: ")
    assert (
        f"{full:,} operations" in factory.__doc__ and f"{binary:,} with its {len(eligible)} eligible" in factory.__doc__
    )
