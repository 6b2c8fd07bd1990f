"""Shares on the command line, such as 2% or 0.02."""

from __future__ import annotations

from typing import Any

import click


class Share(click.ParamType):
    """A share of something, which is written in percent or as a fraction."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            return float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            self.fail(f"expected a share such as 2% or 0.02, but got {value!r}", param, context)
