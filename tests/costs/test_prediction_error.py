"""The error of a prediction is a share of what was measured."""

from __future__ import annotations

import pytest

from b2nn_tvm.costs.prediction_error import prediction_error


def test_the_error_is_a_share_of_the_measured_value() -> None:
    assert prediction_error(1.1, 1.0) == pytest.approx(0.1)
    assert prediction_error(0.7, 1.0) == pytest.approx(-0.3)
    assert prediction_error(1.0, 0.7) == pytest.approx(3 / 7)
