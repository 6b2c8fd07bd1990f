"""The option that says how a picture gets the size of an input."""

from __future__ import annotations

import click
import pytest

from b2nn_tvm.cli.options.fit import Fit


@pytest.mark.parametrize(("text", "found"), [("256", 256), ("cover", "cover")])
def test_a_word_or_a_number_of_pixels(text: str, found: str | int) -> None:
    assert Fit().convert(text, None, None) == found
    with pytest.raises(click.BadParameter, match="expected"):
        Fit().convert("sideways", None, None)
