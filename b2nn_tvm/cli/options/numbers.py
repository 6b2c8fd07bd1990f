"""An option whose value is a list of numbers."""

from __future__ import annotations

from typing import Any

import click


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """One number or several, with commas between."""

    name = "numbers"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(word) for word in str(value).split(","))
        except ValueError:
            text = f"expected numbers with commas between, such as 0.485,0.456,0.406, but got {value!r}"
            raise click.BadParameter(text, context, parameter) from None
