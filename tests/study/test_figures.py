"""The figures are SVG files with the axes, the labels and the panels that they should have."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.study import figures
from tests.support.study.rows import made_up, timed

METHODS = {"mixbin-loss": [0.5, 0.6], "front": [0.4, 0.5], "network-slimming": [0.2, 0.3]}


def rows():
    reference = made_up({"all binary": [0.1, 0.2]}, part="reference", budget="least", layers="a b c")
    return [*reference, *made_up(METHODS), *made_up(METHODS, budget="20", layers="a b c")]


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match="pip install"):
        figures.write(tmp_path, rows())


def test_svg_files_with_their_labels(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib draws the figures: pip install 'b2nn-tvm[study]'")
    assert figures.write(tmp_path, rows()) == ["accuracy.svg", "layers.svg"]
    words = {}
    for name in ("accuracy.svg", "layers.svg"):
        root = ElementTree.parse(tmp_path / name).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        words[name] = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"FLOPs left, %", "test accuracy, %", *METHODS} <= words["accuracy.svg"]
    assert {"40 % of the FLOPs", "20 % of the FLOPs", "a", "b", "c", "front", "mixbin-loss"} <= words["layers.svg"]
    assert "network-slimming" not in words["layers.svg"]  # it has no binary layers
    first = (tmp_path / "layers.svg").read_bytes()
    figures.write(tmp_path, rows())
    assert (tmp_path / "layers.svg").read_bytes() == first


def test_axes_hold_the_numbers() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib draws the figures: pip install 'b2nn-tvm[study]'")
    (axes,) = figures.accuracy(rows()).axes
    assert [line.get_label() for line in axes.lines] == list(METHODS)
    assert list(axes.lines[0].get_ydata()) == pytest.approx([55.0, 55.0])
    heat = figures.layers(rows())
    first, second, _bar = heat.axes
    assert (
        first.images[0].get_array().tolist() == [[1, 1, 0], [1, 1, 0]]
        and second.images[0].get_array().tolist() == [[1, 1, 1]] * 2
    )


def test_accuracy_against_milliseconds(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib draws the figures: pip install 'b2nn-tvm[study]'")
    timed_rows = timed("float", {"100": (3.0, [0.9, 0.8]), "50": (1.0, [0.6, 0.7])})
    timed_rows += timed("int8", {"100": (2.0, [0.7])})
    assert "milliseconds.svg" in figures.write(tmp_path, [*rows(), *timed_rows])
    (axes,) = figures.milliseconds([*rows(), *timed_rows]).axes
    assert [line.get_label() for line in axes.lines] == ["float", "int8"]
    assert [list(values) for values in axes.lines[0].get_data()] == [[1.0, 3.0], pytest.approx([65.0, 85.0])]
    assert axes.get_xlabel() == "milliseconds on a CPU"
