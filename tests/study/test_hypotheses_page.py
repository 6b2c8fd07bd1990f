"""The page of hypotheses has a section for each, with its claim, its verdict and the means it rests on."""

from __future__ import annotations

from dataclasses import replace

from b2nn_tvm.study.cells import LONGER
from b2nn_tvm.study.hypotheses import HYPOTHESES
from b2nn_tvm.study.hypotheses_page import hypotheses_page
from tests.support.study.rows import made_up


def test_each_claim_has_its_verdict() -> None:
    rows = made_up({"mixbin-loss": [0.70, 0.71, 0.72]}, budget="60")
    rows += made_up({LONGER: [0.70, 0.71, 0.725]}, budget="100", part="reference")
    text = hypotheses_page([replace(row, hypothesis="1") for row in rows], figures=["accuracy.svg"])
    assert all(f"## Hypothesis {each.number}\n\n{each.claim}\n" in text for each in HYPOTHESES)
    assert text.count("The claim has not been tested yet.") == len(HYPOTHESES) - 1
    assert "| mixbin-loss at 60 % of the FLOPs | 40.0 | 71.0 ± 2.5 | 3 |" in text
    assert "| above -1 | -0.2 points (-0.9 to +0.6) | 3 | holds |" in text
    assert "![accuracy](accuracy.svg)" in text and "Recipe `quick`" in text
