"""The option that says how a picture gets the size of an input."""

from __future__ import annotations

from typing import Any

import click


class Fit(click.ParamType):  # type: ignore[type-arg]
    """How a picture gets the size of an input: a word, or the pixels of its shorter side."""

    name = "resize"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str | int:
        from b2nn_tvm.errors import InputError
        from b2nn_tvm.preprocess.fit_to_input import as_way

        try:
            return as_way(value)
        except InputError as error:
            raise click.BadParameter(str(error), context, parameter) from None
