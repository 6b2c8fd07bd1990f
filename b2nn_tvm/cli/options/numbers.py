"""Options whose values are numbers: means and deviations, and whole numbers in the words of their users."""

from __future__ import annotations

from typing import Any

import click

LARGEST = 2.0  # a mean or a deviation of values from 0 to 1 is below it, one of values from 0 to 255 is above


class WholeNumber(click.IntRange):
    """An integer of at least ``min``, whose name in errors is no word of programmers."""

    name = "whole number"


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """The mean or the deviation of pixels divided by 255: one number or several, with commas between."""

    name = "numbers"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(float(word) for word in str(value).split(","))
        except ValueError:
            text = f"expected numbers with commas between, such as 0.485,0.456,0.406, but got {value!r}"
            raise click.BadParameter(text, context, parameter) from None
        if any(abs(number) > LARGEST for number in found):
            scaled = ",".join(f"{number / 255:.4g}" for number in found)
            text = f"expected numbers for pixels divided by 255, but got {value!r}; did you mean {scaled}?"
            raise click.BadParameter(text, context, parameter)
        return found
