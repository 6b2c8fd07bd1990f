"""The charts are drawn from the result: as elements of a page, and as files."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from b2nn_tvm.loop.results.charts import COLOURS, inline_charts, write_charts
from b2nn_tvm.loop.results.result import SearchResult


def test_a_page_gets_elements_whose_texts_are_texts(result: SearchResult) -> None:
    charts = inline_charts(result)
    assert charts == inline_charts(result)  # equal results have equal charts
    assert list(charts) == ["front", "predictions", "confusion"]
    for name, element in charts.items():
        assert element.startswith("<svg") and "http" not in element and f'id="{name}-figure_1"' in element
        assert not any(colour in element for colour in COLOURS.values())
    assert all(f">{word}</text>" in charts["front"] for word in ("all float", "all binary", "delivered", "budget"))
    assert ">delivered</text>" in charts["predictions"]
    assert all(f">{name}</text>" in charts["confusion"] for name in result.answers.classes)


def test_fronts_of_precisions_are_lines_of_one_chart(beside: SearchResult) -> None:
    charts = inline_charts(beside)
    assert list(charts) == ["front", "fronts", "predictions", "confusion"]
    assert all(f">{each.title}</text>" in charts["fronts"] for each in beside.fronts)


def test_what_has_no_harm_or_prediction_has_no_such_chart(result: SearchResult) -> None:
    (last,) = result.rounds
    planned = replace(
        result,
        rounds=(replace(last, harm=math.nan, attempts=()),),
        unit="bytes",
        rows=result.rows[:2],
        answers=None,
    )
    assert inline_charts(planned) == {}


def test_names_of_classes_are_no_formulas(result: SearchResult) -> None:
    odd = replace(result, answers=replace(result.answers, classes=("$a$", "<b>", "c_1")))
    confusion = inline_charts(odd)["confusion"]
    assert ">$a$</text>" in confusion and ">&lt;b&gt;</text>" in confusion


def test_files_are_written_as_svg_and_png(result: SearchResult, tmp_path: Path) -> None:
    written = write_charts(result, tmp_path / "plots")
    names = [f"{name}.{kind}" for name in ("front", "predictions", "confusion", "layers") for kind in ("svg", "png")]
    assert [path.name for path in written] == names
    for path in written:
        if path.suffix == ".svg":
            assert re.search(r"svg$", ElementTree.parse(path).getroot().tag)
        else:
            with Image.open(path) as image:
                assert image.width > 800
