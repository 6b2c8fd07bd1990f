"""The page says what the numbers say: a winner where there is one, a tie where intervals hold zero."""

from __future__ import annotations

import re

from b2nn_tvm.study.page import page, summary
from tests.support.study.rows import made_up, timed

REFERENCE = [0.50, 0.52, 0.51, 0.53, 0.50]


def test_a_winner_is_named_with_its_difference() -> None:
    text = page(
        made_up(
            {
                "mixbin-loss": REFERENCE,
                "greedy": [value + 0.1 + 0.001 * (seed % 2) for seed, value in enumerate(REFERENCE)],
            }
        )
    )
    assert re.search(r"\*\*40 %, against mixbin-loss\.\*\* Better: greedy \(\+10\.0 ± 0\.1\)\.", text)
    assert "Nothing can be told apart" not in text


def test_a_loser_is_named() -> None:
    rows = made_up({"mixbin-loss": REFERENCE, "rear": [0.2, 0.23, 0.2, 0.21, 0.22], "front": REFERENCE[::-1]})
    text = page(rows)
    assert "Worse: rear (-30.0" in text and "1 cannot be told apart from it." in text


def test_a_tie_is_a_tie() -> None:
    text = page(
        made_up(
            {
                "mixbin-loss": REFERENCE,
                "greedy": [0.55, 0.48, 0.53, 0.51, 0.52],
                "random": [0.49, 0.54, 0.50, 0.52, 0.51],
            }
        )
    )
    assert text.count("Nothing can be told apart from mixbin-loss.") == 1
    assert text.count("Nothing can be told apart from random.") == 1
    assert "Better:" not in text and "Worse:" not in text


def test_an_uncorrected_winner_is_not_called_one() -> None:
    """A difference with p = 0.02 among five comparisons does not survive Holm's correction."""
    differences = [0.01, 0.03, 0.012, 0.028, 0.0]
    rivals = {f"m{index}": [0.55, 0.48, 0.53, 0.51, 0.52] for index in range(4)}
    rows = made_up(
        {"mixbin-loss": REFERENCE, "hawq-v2": [a + b for a, b in zip(REFERENCE, differences, strict=True)], **rivals}
    )
    text = page(rows)
    (row,) = [line for line in text.splitlines() if line.startswith("| hawq-v2 | +")]
    p, corrected = map(float, row.split(" | ")[2:4])
    assert p < 0.05 <= corrected and "not told apart" in row and "Better:" not in text


def test_means_and_settings_come_from_the_rows() -> None:
    text = page(made_up({"mixbin-loss": [0.4, 0.5, 0.6]}), figures=["accuracy.svg"])
    assert "| mixbin-loss | 50.0 ± 24.8 |" in text  # t(0.975, 2) * 0.1 / sqrt(3)
    assert "digits, 100 training images" in text and "Seeds: 0, 1, 2." in text and "![accuracy](accuracy.svg)" in text
    assert "With 3 seeds intervals are wide" in text


def test_activations_have_their_own_reference() -> None:
    rows = [
        row
        for level in ("zero", "full")
        for row in made_up(
            {"binrelu": REFERENCE, "relu": [0.1, 0.11, 0.1, 0.12, 0.1]}, part="activations", budget=level
        )
    ]
    text = page(rows)
    assert "**Zero binarization, against binrelu.** Worse: relu (-40.6" in text and "## Methods" not in text


def test_a_summary_has_a_table_for_each_part() -> None:
    rows = made_up({"front": [0.5]}) + timed("float", {"100": (2.0, [0.75]), "50": (1.0, [0.25])})
    rows += timed("binary", {"100": (1.0, [0.5])})
    (_, head, body), (title, columns, fronts) = summary(rows)
    assert (head, body) == (("", "40"), [("front", "50.0")])
    assert title.startswith("fronts: test accuracy") and columns == ("", "100", "50")
    assert fronts == [("float", "75.0", "25.0"), ("binary", "50.0", "-")]
