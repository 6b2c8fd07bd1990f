"""report.html is one file, and says what the result says."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from b2nn_tvm.loop.front.measure_front import FrontPoint
from b2nn_tvm.loop.results.page import page
from b2nn_tvm.loop.results.report_lines import findings
from b2nn_tvm.loop.results.result import SearchResult


class Balance(HTMLParser):
    """Fails where tags do not close in order."""

    VOID = ("meta", "img", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        """<path/> closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def text(result: SearchResult) -> str:
    return page(result)


def test_the_page_is_self_contained_and_escaped(text: str) -> None:
    assert text.startswith("<!DOCTYPE html>")
    assert "&lt;net&gt;" in text and "<net>" not in text
    assert not any(word in text for word in ("http:", "https:", "<script", "<link", "url(http"))
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)', text))
    closed = Balance()
    closed.feed(text)
    assert closed.open == []


def test_charts_follow_the_scheme_and_their_ids_differ(text: str) -> None:
    charts = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "var(--chosen)" in charts and "var(--ink)" not in re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)[:200]
    colours = set(re.findall(r"#[0-9a-f]{6}\b", re.sub(r'"#[^"]*"|url\(#[^)]*\)', "", charts)))
    assert colours <= {"#000000"}  # matplotlib's clip paths name no colour, and nothing else is drawn in black
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids)) > 0


def test_a_layer_says_why_it_stayed_float(result: SearchResult, text: str) -> None:
    for layer in result.layers:
        assert (layer.why != "") == (layer.precision == "float")
        assert f'<td class="why">{layer.why}</td>' in text


def test_every_precision_has_a_colour_of_its_own(result: SearchResult) -> None:
    """There is room for precisions that nobody has thought of."""
    (first, *others) = result.layers
    text = page(replace(result, layers=(replace(first, precision="int4", ms={"int4": 0.1}), *others)))
    colours = re.findall(r"--precision-\d: (#\w+);", text)
    assert len(set(colours)) == 6  # three precisions, light and dark
    assert ">int4</span>" in text and ">int4 ms</th>" in text


def test_harm_is_explained_where_there_is_any(result: SearchResult, text: str) -> None:
    bare = page(replace(result, layers=tuple(replace(each, harm=math.nan) for each in result.layers)))
    assert "when this layer alone becomes binary" in text and "Harm is the score" not in bare


def test_one_of_something_is_said_as_one(result: SearchResult) -> None:
    text = page(replace(result, origin=replace(result.origin, float_epochs=1, seconds=24.0, recipe="long")))
    assert "1 epoch in float, 2 of fine-tuning, by the recipe long, seed 0" in text
    assert "<dd>24 s, until" in text and "; 1 phase was taken from earlier runs" in text
    assert "1 min 15 s" in page(result) and "3 epochs in float, 2 of fine-tuning, seed 0" in page(result)


def test_commands_can_be_typed_where_names_have_spaces(result: SearchResult) -> None:
    folder = Path("my results")
    text = page(replace(result, folder=folder, libraries={"native": folder / "native"}))
    commands = [unescape(re.sub(r"<.*?>", "", each)) for each in re.findall(r"<code>(.*?)</code>", text)]
    assert ["b2nn-profile", "my results/native"] in [shlex.split(each) for each in commands]


def test_what_the_page_shows_elsewhere_is_not_said_again(result: SearchResult, text: str) -> None:
    (listed,) = re.findall(r'<dl class="findings">(.*?)</dl>', text, re.DOTALL)
    said = [re.sub(r"<.*?>", "", each) for each in re.findall(r"<dd>(.*?)</dd>", listed)]
    expected = [each for each in findings(result) if not each.shown]
    assert [unescape(each) for each in said] == [f"{each.text[0].upper()}{each.text[1:]}." for each in expected]
    assert any("interval 1.88 to 1.92" in each for each in said) and len(said) > 3
    assert not any("plan.json" in each or "achieved" in each or "median error" in each for each in said)
    assert "median error" in text and 'href="plan.json"' in text and "of 2 ms ✓" in text  # they are elsewhere


def test_a_budget_that_is_not_kept_is_red_or_open_in_the_heading(result: SearchResult) -> None:
    over = page(replace(result, achieved=2.1))
    assert '<h1 class="over">&lt;net&gt; over the budget of 2ms</h1>' in over and "of 2 ms exceeded" in over
    assert "<h1>&lt;net&gt; within 2ms</h1>" in page(result)


def test_observed_times_are_said_to_be(result: SearchResult) -> None:
    point = FrontPoint(("block.conv1",), 0.1, 2.4, math.nan, math.nan)
    text = page(replace(result, quantile=0.9, budget="2.5ms@p90", limit=2.5, front=(point, replace(point, ms=3.0))))
    assert "within 2.5ms@p90" in text and ">nan<" not in text
    assert "milliseconds at p90" in text and "bars are 95 % intervals" not in text
    shown = r'<div class="name">Time at p90</div><div class="value[^"]*">[\d.]+ ms</div>'
    assert re.search(rf'{shown}\s*<div class="remark kept">of 2.5 ms ', text)


def test_a_result_without_harm_or_answers_has_a_page(result: SearchResult) -> None:
    """As that of a plan from a file, or of an earlier step."""
    (last,) = result.rounds
    bare = replace(result, rounds=(replace(last, harm=math.nan, attempts=()),), answers=None, origin=None, layers=())
    text = page(bare)
    assert not any(words in text for words in ('aria-label="harm', "Images whose answer changed", "How it was made"))
