"""The report of a real search as a browser shows it: nothing is cut off, and its numbers are those of report.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from b2nn_tvm.loop.results.page import page
from tests.support.browser.chromium import browser, missing
from tests.support.browser.report_pages import CLIPPED, CONTRAST, SAMPLE, VIEWS, View, opened, sample

pytestmark = [pytest.mark.sweep, pytest.mark.skipif(bool(missing()), reason=missing() or "there is a browser")]

LEAST_CONTRAST = 4.5  # of text, WCAG 2.1, level AA


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened_browser:
        yield opened_browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(sample()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads((SAMPLE / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_nothing_is_cut_off_or_hard_to_read(chromium: Any, report: Path, view: View) -> None:
    with opened(chromium, report, view) as shown:
        assert shown.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (view.scheme == "dark")
        assert shown.evaluate("document.documentElement.scrollWidth") <= view.width
        assert shown.evaluate(CLIPPED) == []
        contrast, where = shown.evaluate(CONTRAST)
        assert contrast >= LEAST_CONTRAST, where


def test_the_words_of_more_precisions_fit_a_telephone(chromium: Any, report: Path, tmp_path: Path) -> None:
    path, text = tmp_path / "report.html", report.read_text(encoding="utf-8")
    path.write_text(text.replace(">binary</th>", ">layers in fewer bits</th>"), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    with opened(chromium, path, VIEWS[-1]) as shown:
        assert shown.evaluate("document.documentElement.scrollWidth") <= VIEWS[-1].width
        assert shown.evaluate(CLIPPED) == []


@pytest.mark.parametrize("view", [VIEWS[0], VIEWS[-1]], ids=str)
def test_the_numbers_are_those_of_the_document(chromium: Any, report: Path, document: dict, view: View) -> None:
    with opened(chromium, report, view) as shown:
        values = dict(
            zip(shown.locator(".tile .name").all_inner_texts(), shown.locator(".tile .value").all_inner_texts())
        )
        mixed = next(row for row in document["rows"] if row["role"] == "mixed")
        assert values["Time"] == f"{document['measured_ms']:.4g} ms"
        assert values["Accuracy"] == f"{100 * document['library_accuracy']:.1f} %"
        assert values["Library"] == f"{mixed['size_bytes'] / 1024:.0f} KiB"
        assert values["Device"] == document["device"]

        rows = [row.locator("td").all_inner_texts() for row in shown.locator("table.layers tbody tr").all()]
        assert [row[0] for row in rows] == [layer["name"] for layer in document["layers"]]
        for row, layer in zip(rows, document["layers"], strict=True):
            assert row[1] == layer["precision"] and row[-1] == layer["why"]
            assert float(row[2]) == pytest.approx(layer["ms"]["float"], abs=5e-5)
            assert (row[-1] != "") == (layer["precision"] == "float")

        parts = [part.bounding_box()["width"] for part in shown.locator(".strip i").all()]
        times = [layer["ms"][layer["precision"]] for layer in document["layers"]] + [document["rest_ms"]]
        widest = max(range(len(times)), key=times.__getitem__)
        assert len(parts) == len(times)
        for part, ms in zip(parts, times, strict=True):
            assert part / parts[widest] == pytest.approx(max(ms, 0.004 * sum(times)) / times[widest], abs=0.02)

        networks = shown.locator("h2:has-text('Networks') ~ table").first.locator("tbody tr").all()
        for row, found in zip(networks, document["rows"]):
            cells = row.locator("td").all_inner_texts()
            assert float(cells[2]) == pytest.approx(100 * found["accuracy"], abs=5e-3)
            assert float(cells[5]) == pytest.approx(found["measured_ms"], abs=5e-5)
        assert len(shown.locator(".changed img").all()) == len(document["answers"]["changed"]) > 0
        assert all(shown.evaluate("[...document.images].map(each => each.complete && each.naturalWidth > 0)"))


def centre(element: Any) -> tuple[float, float]:
    box = element.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def scale(chart: Any, axis: str) -> Any:
    """From pixels along an axis to its numbers, by the labels of its ticks."""
    labels = chart.locator(f"[id*='{axis}tick'] text").all()
    numbers = [float(label.text_content().replace("\N{MINUS SIGN}", "-")) for label in labels]
    pixels = [centre(label)["xy".index(axis)] for label in labels]
    assert len(numbers) >= 3 and numbers == sorted(numbers)
    return np.poly1d(np.polyfit(pixels, numbers, 1)), numbers[-1] - numbers[0]


@pytest.mark.parametrize("view", [VIEWS[0], VIEWS[-1]], ids=str)
def test_the_delivered_network_is_drawn_where_its_numbers_say(
    chromium: Any, report: Path, document: dict, view: View
) -> None:
    harm = sum(document["scores"][name] for name in document["plan"]["binary"])
    places = {
        "harm against measured": (document["measured_ms"], harm),
        "predicted against measured": (document["predicted"], document["measured_ms"]),
    }
    with opened(chromium, report, view) as shown:
        for label, place in places.items():
            chart = shown.locator(f"[aria-label^='{label}']")
            assert chart.locator("text:has-text('delivered')").count() == 1  # in the legend
            drawn = centre(chart.locator("use[style*='--chosen']").first)
            for axis, pixel, number in zip("xy", drawn, place, strict=True):
                to_number, span = scale(chart, axis)
                assert to_number(pixel) == pytest.approx(number, abs=0.015 * span), (label, axis)


def test_a_budget_that_is_not_kept_is_red(chromium: Any, tmp_path: Path) -> None:
    late = replace(sample(), achieved=1.2 * sample().limit)
    (tmp_path / "report.html").write_text(page(late), encoding="utf-8")
    with opened(chromium, tmp_path / "report.html", VIEWS[0]) as shown:
        red = shown.locator("h1").evaluate("each => getComputedStyle(each).color")
        assert red == shown.locator(".tile .remark.over").first.evaluate("each => getComputedStyle(each).color")
        assert red != shown.locator("h2").first.evaluate("each => getComputedStyle(each).color")
        assert "over the budget" in shown.locator("h1").inner_text()
