"""The page of hypotheses has a section for each, with its claim, its verdict and the means it rests on."""

from __future__ import annotations

from dataclasses import replace

from b2nn_tvm.study.cells import LONGER
from b2nn_tvm.study.hypotheses import HYPOTHESES
from b2nn_tvm.study.hypotheses_page import hypotheses_page
from tests.support.study.rows import made_up, timed


def test_each_claim_has_its_verdict() -> None:
    rows = made_up({"mixbin-loss": [0.70, 0.71, 0.72]}, budget="60")
    rows += made_up({LONGER: [0.70, 0.71, 0.725]}, budget="100", part="reference")
    text = hypotheses_page([replace(row, hypothesis="1") for row in rows], figures=["accuracy.svg"])
    assert all(f"## Hypothesis {each.number}\n\n{each.claim}\n" in text for each in HYPOTHESES)
    assert text.count("The claim has not been tested yet.") == len(HYPOTHESES) - 1
    assert "| mixbin-loss at 60 % of the FLOPs | 40.0 | 71.0 ± 2.5 | 3 |" in text
    assert "| above -1 | -0.2 points (-0.9 to +0.6) | 3 | holds |" in text
    assert "of each front" not in text and "Its grid: own plan, carried plan; seeds 0 to 1." in text
    assert "![accuracy](accuracy.svg)" in text and "Recipe `quick`" in text


def test_fronts_are_told_within_milliseconds() -> None:
    rows = timed("int8", {"100": (1.0, [0.8, 0.8])}) + timed("float", {"100": (3.0, [0.9, 0.9])})
    rows += timed("mixbin 1,8,32", {"0": (0.5, [0.7, 0.72]), "50": (1.5, [0.9, 0.92])})
    text = hypotheses_page([replace(row, hypothesis="6") for row in rows])
    assert "| within | int8 | float | mixbin 1,8,32 |" in text
    assert "| int8, 1 ms | 80.0 ± 0.0 | none as fast | 81.0 ± 12.7 |" in text
    assert "on a CPU, for the target native (sse), with 1 thread;" in text
    assert "| the front of float has no network as fast | - | cannot be compared |" in text
    assert "| mixbin 1,8,32 at 50 % of the way | 40.0 | 1.5 | 91.0 ± 12.7 | 2 |" in text
