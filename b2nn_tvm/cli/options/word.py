"""Options whose values are words: checked before anything is imported, with what may have been meant, and completed."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from b2nn_tvm.words.choices import CLASSIFIERS, DATA_SETS, did_you_mean, meant_network
from b2nn_tvm.words.factory_file import complaint, is_factory
from b2nn_tvm.words.file_in_place import file_in_place_of_network

TIMM = "timm:"


class Word(click.Choice):  # type: ignore[type-arg]
    """One of ``names``; ``what`` is what they are names of."""

    def __init__(self, what: str, names: Sequence[str]) -> None:
        super().__init__(names)
        self.what = what

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        if value in self.choices:
            return str(value)
        meant = did_you_mean(str(value), self.choices)
        text = f"unknown {self.what} {value!r}{meant}; choose one of {', '.join(self.choices)}"
        raise click.BadParameter(text, context, parameter)


class Network(Word):
    """A built-in network that gives class scores, or a word with a colon: timm:NAME, or a factory of the user's."""

    def __init__(self) -> None:
        super().__init__("network", CLASSIFIERS)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return f"Give one of {', '.join(CLASSIFIERS)}, timm:NAME, or your own as folder/file.py:factory."

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        text = str(value)
        if text in self.choices:
            return text
        if wrong := complaint(text) or file_in_place_of_network(text):
            raise click.BadParameter(wrong, context, parameter)
        if is_factory(text) or (text.startswith(TIMM) and text != TIMM):
            return text
        if text == "siamfc":
            text = "siamfc gives features, not class scores, which a search needs: see docs/tracking.md"
        else:
            text = (
                f"there is no network {text!r}{meant_network(text)}; choose one of {', '.join(CLASSIFIERS)}, timm:NAME,"
                " or your own as pkg.module:factory or folder/file.py:factory"
            )
        raise click.BadParameter(text, context, parameter)


class Precisions(click.ParamType):  # type: ignore[type-arg]
    """Numbers of bits, or words of precisions, with commas between."""

    name = "precisions"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> tuple[str, ...]:
        from b2nn_tvm.costs.precisions import parse_precisions
        from b2nn_tvm.errors import InputError

        try:
            return parse_precisions(value)
        except InputError as error:
            self.fail(str(error), parameter, context)


class Target(click.ParamType):  # type: ignore[type-arg]
    """A word for a target, such as rpi4, aarch64 or native."""

    name = "target"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        from b2nn_tvm.errors import TargetError
        from b2nn_tvm.targets import target

        try:
            target.get(str(value))
        except TargetError as error:
            self.fail(str(error), parameter, context)
        return str(value)

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        from b2nn_tvm.targets import target

        return [click.shell_completion.CompletionItem(name) for name in target.names() if name.startswith(incomplete)]


def check_words(words: Iterable[str], what: str, names: Sequence[str], *, option: str) -> None:
    """Raise BadParameter for the first of the ``words`` of an option that is none of ``names``."""
    kind = Word(what, names)
    for word in words:
        try:
            kind.convert(word, None, None)
        except click.BadParameter as error:
            raise click.BadParameter(error.message, param_hint=option) from None


def check_data(word: str, *, option: str) -> None:
    """Raise BadParameter for data that is no built-in set, no path and no factory."""
    if wrong := complaint(word):
        raise click.BadParameter(wrong, param_hint=option)
    path = Path(os.path.expanduser(word))
    one_of_several = f"{glob.escape(path.name)}-*"  # FOLDER/emnist-balanced names some of the files in FOLDER
    if word in DATA_SETS or is_factory(word) or os.path.exists(path) or any(path.parent.glob(one_of_several)):
        return
    if "://" in word:
        text = f"{word} is an address, and nothing is downloaded: give the folder or file where the data set is"
        raise click.BadParameter(text, param_hint=option)
    raise click.BadParameter(
        f"there is no file or folder {word!r}, and no built-in data set of this name{did_you_mean(word, DATA_SETS)};"
        f" those are {', '.join(DATA_SETS)}, and your own is pkg.module:factory",
        param_hint=option,
    )


def check_budgets(texts: Iterable[str]) -> None:
    """Raise BadParameter for the first text that is no budget."""
    from b2nn_tvm.costs.budget import parse_budget
    from b2nn_tvm.errors import InputError

    for text in texts:
        try:
            parse_budget(text)
        except InputError as error:
            raise click.BadParameter(str(error), param_hint="--budget") from None
