"""A busy machine is told."""

from __future__ import annotations

from dataclasses import replace

from b2nn_tvm.loop.measuring.busy import busy_words
from b2nn_tvm.loop.measuring.network_time import NetworkTime

TIME = NetworkTime((), 1.9, 0.1, 900, 2048, "A CPU", "avx2", (), bursts=12, quiet=9)


def test_wide_spreads_are_told_and_narrow_ones_are_not() -> None:
    assert busy_words([]) is None and busy_words([TIME, TIME]) is None
    text = busy_words([replace(TIME, spread=0.11), replace(TIME, spread=0.55)])
    assert text is not None
    assert text.startswith(
        "the observed times of 2 networks vary by 11% to 55% between the 10th and the 90th percentile"
    )
    assert "and 75% of the bursts were undisturbed" in text
