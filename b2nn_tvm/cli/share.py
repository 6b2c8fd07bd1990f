"""Shares on the command line, such as 2% or 0.02."""

from __future__ import annotations

import click


def share(context: click.Context, param: click.Parameter, value: str) -> float:
    """The callback of an option that is a share of something, in percent or as a fraction."""
    text = value.strip()
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise click.BadParameter(f"expected a share such as 2% or 0.02, but got {value!r}", context, param) from None
