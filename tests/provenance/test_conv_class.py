"""The verdict about a convolution, in words."""

from __future__ import annotations

import pytest

from b2nn_tvm.provenance.conv_class import ConvClass


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (ConvClass("a", True, ""), "is binary"),
        (ConvClass("a", False, "its input is not a sign"), "stays float: its input is not a sign"),
        (ConvClass("a", False, "its input is float", weight_binary=True), "is weight-binary: its input is float"),
        (ConvClass("a", False, "its input is not a sign", int8=True), "is not binary: its input is not a sign"),
    ],
)
def test_the_verdict(found: ConvClass, verdict: str) -> None:
    assert found.verdict == verdict
