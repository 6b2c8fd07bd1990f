"""The spellings of limits, and what they are where they are not given."""

from __future__ import annotations

from math import inf

import click
import pytest

from b2nn_tvm.cli.limits import DEFAULT_TIME_S, limit_options, memory_limit, time_limit


@limit_options
@click.option("--tune", type=int)
@click.command()
def command(tune: int | None) -> None:
    """A command with limits."""


def context(*words: str) -> click.Context:
    return command.make_context("command", list(words))


@pytest.mark.parametrize(
    ("text", "count"),
    [("512M", 2**29), ("4G", 2**32), ("4GiB", 2**32), ("1.5gb", 1.5 * 2**30), ("2048", 2048), ("none", inf)],
)
def test_memory(text, count):
    assert memory_limit(context("--memory-limit", text)) == count


@pytest.mark.parametrize(("text", "count"), [("90s", 90), ("90", 90), ("10m", 600), ("2h", 7200), ("None", inf)])
def test_time(text, count):
    assert time_limit(context("--time-limit", text)) == count


@pytest.mark.parametrize("words", [("--memory-limit", "3Q"), ("--memory-limit", "0"), ("--time-limit", "-1s")])
def test_what_is_no_limit(words):
    with pytest.raises(click.BadParameter, match="or none for no limit, but got"):
        context(*words)


def test_by_default_most_of_the_free_memory_and_an_hour():
    assert 2**28 < memory_limit(context()) < 2**48
    assert time_limit(context()) == DEFAULT_TIME_S
    assert time_limit(context("--tune", "5")) == inf
    assert time_limit(context("--tune", "5", "--time-limit", "1m")) == 60
