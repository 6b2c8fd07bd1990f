"""Options whose values are numbers: shares, means and deviations, and whole numbers in the words of their users."""

from __future__ import annotations

import math
from typing import Any

import click

LARGEST = 2.0  # a mean or a deviation of values from 0 to 1 is below it, one of values from 0 to 255 is above


MOST = 2**31 - 1  # what the C programs and the libraries behind an option take


class WholeNumber(click.IntRange):
    """An integer of at least ``min``, whose name in errors is no word of programmers."""

    name = "whole number"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        found = int(super().convert(value, parameter, context))
        if found > MOST:
            self.fail(f"{value} is too large: expected at most {MOST}", parameter, context)
        return found


class Number(click.FloatRange):
    """A finite number: to infinity, and to what is no number, every comparison with a limit is blind."""

    name = "number"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        found = float(super().convert(value, parameter, context))
        if not math.isfinite(found):
            self.fail(f"expected a finite number, but got {value!r}", parameter, context)
        return found


class Share(click.ParamType):  # type: ignore[type-arg]
    """A share of something from ``least`` to ``most``, in percent or as a fraction."""

    name = "share"

    def __init__(self, least: float, most: float) -> None:
        self._least, self._most = least, most

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        text = str(value).strip()
        try:
            number = float(text.removesuffix("%"))
        except ValueError:
            number = math.nan
        in_percent = text.endswith("%")
        found = number / 100 if in_percent else number
        if not self._least <= found <= self._most:
            meant = not in_percent and self._least <= number / 100 <= self._most
            self.fail(
                f"expected a share from {100 * self._least:g}% to {100 * self._most:g}%, such as 2% or 0.02, but got"
                f" {value!r}{f'; did you mean {text}%?' if meant else ''}",
                parameter,
                context,
            )
        return found


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
        if not all(map(math.isfinite, found)):
            raise click.BadParameter(f"expected finite numbers, but got {value!r}", context, parameter)
        if any(abs(number) > LARGEST for number in found):
            scaled = ",".join(f"{number / 255:.4g}" for number in found)
            text = f"expected numbers for pixels divided by 255, but got {value!r}; did you mean {scaled}?"
            raise click.BadParameter(text, context, parameter)
        return found
