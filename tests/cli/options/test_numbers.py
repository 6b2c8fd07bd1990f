"""An option whose value is a list of numbers."""

from __future__ import annotations

import click
import pytest

from b2nn_tvm.cli.options.numbers import Numbers


@pytest.mark.parametrize(("text", "found"), [("0.5", (0.5,)), ("0.485,0.456, 0.406", (0.485, 0.456, 0.406))])
def test_numbers(text: str, found: tuple[float, ...]) -> None:
    assert Numbers().convert(text, None, None) == Numbers().convert(found, None, None) == found
    with pytest.raises(click.BadParameter, match="expected numbers with commas between, such as"):
        Numbers().convert(f"{text};1", None, None)
