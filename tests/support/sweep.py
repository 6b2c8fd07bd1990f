"""Which of the tests that assert the same for several targets or values `make test` runs; the others are a sweep."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import pytest

from b2nn_tvm.targets.target import get


def few(values: Iterable[Any], here: Container[Any]) -> list[Any]:
    """Values of a parameter, such as seeds: `make test` takes those that are ``here`` too, the others are a sweep."""
    return [pytest.param(value, marks=() if value in here else pytest.mark.sweep) for value in values]


def mark_sweeps(items: Iterable[pytest.Item]) -> None:
    """Of tests with the mark ``in_turn(argument)``, one target for each choice of the other parameters stays unmarked.

    ``argument`` is the parameter that holds the names of targets. The targets that this machine runs take turns, from
    the one of number ``turn``; the tests for the others repeat what is asserted, so they are marked as a sweep. A
    target that this machine does not run costs nothing: its tests stay where they are, and say why they skip.
    """
    alike: dict[str, dict[tuple[str, ...], list[pytest.Item]]] = {}
    for item in items:
        if (mark := item.get_closest_marker("in_turn")) and not get(item.callspec.params[mark.args[0]]).missing:
            others = tuple(repr(value) for name, value in item.callspec.params.items() if name != mark.args[0])
            alike.setdefault(item.nodeid.partition("[")[0], {}).setdefault(others, []).append(item)
    for choices in alike.values():
        for number, choice in enumerate(choices.values()):
            turn = number + choice[0].get_closest_marker("in_turn").kwargs.get("turn", 0)
            for item in choice:
                if item is not choice[turn % len(choice)]:
                    item.add_marker("sweep")
