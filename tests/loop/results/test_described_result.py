"""A result says in words what it found."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.results.described_result import DescribedResult
from b2nn_tvm.loop.results.result import SearchResult


@pytest.fixture
def told(result: SearchResult) -> DescribedResult:
    return DescribedResult(**{each.name: getattr(result, each.name) for each in fields(result)})


def test_the_summary_has_the_figures_of_the_report(told: DescribedResult) -> None:
    first, *others = told.summary().splitlines()
    assert first == "<net> within 2ms" and len(others) <= 8
    assert others[0].startswith("Time: 1.9 ms, of 2 ms ✓") and "Accuracy: 95.0 %, float 97.0 %" in others[1]
    assert others[-1] == f"{told.folder / 'report.html'} has the rest"


def test_each_layer_is_explained(told: DescribedResult) -> None:
    for layer in told.layers:
        words = told.explain(layer.name)
        assert words.startswith(f"{layer.name} is {layer.precision}") and layer.why in words and "nan" not in words
    assert "; made binary alone, its harm is 0.1" in told.explain("block.conv1")
    with pytest.raises(InputError, match=r"there is no layer 'block.conv9'; choose one of conv1, block.conv1"):
        told.explain("block.conv9")


def test_harm_is_that_of_the_layers_own_precision(beside: SearchResult) -> None:
    told = DescribedResult(**{each.name: getattr(beside, each.name) for each in fields(beside)})
    first = replace(told.layers[1], precision="int8", harm=0.25)
    other = replace(told, layers=(first, replace(first, name="x", precision="float", why="it is dear")))
    assert other.explain(first.name).endswith("; made int8 alone, its harm is 0.25")
    assert other.explain("x").endswith("; made one of fewer bits alone, its harm is at least 0.25")


def test_a_notebook_shows_a_table(told: DescribedResult) -> None:
    shown = told._repr_html_()
    assert shown.count("<tr>") == len(told.rows) + 2 and "<net>" not in shown and "&lt;net&gt; within 2ms" in shown
    assert repr(told).startswith("<SearchResult <net>: kept 2ms")
