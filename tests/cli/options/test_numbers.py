"""Options whose values are numbers, and what is said where they are none."""

from __future__ import annotations

import click
import pytest

from b2nn_tvm.cli.options.numbers import MOST, Number, Numbers, Share, WholeNumber


@pytest.mark.parametrize(("text", "found"), [("0.5", (0.5,)), ("0.485,0.456, 0.406", (0.485, 0.456, 0.406))])
def test_numbers(text: str, found: tuple[float, ...]) -> None:
    assert Numbers().convert(text, None, None) == Numbers().convert(found, None, None) == found
    with pytest.raises(click.BadParameter, match="expected numbers with commas between, such as"):
        Numbers().convert(f"{text};1", None, None)


def test_numbers_of_bytes_are_told_from_those_of_shares() -> None:
    with pytest.raises(click.BadParameter, match=r"divided by 255, .* did you mean 0.485,0.456,0.406\?"):
        Numbers().convert("123.675,116.28,103.53", None, None)


def test_a_number_that_is_not_whole_is_told_so() -> None:
    assert WholeNumber(min=0).convert("3", None, None) == 3
    with pytest.raises(click.BadParameter, match="'3.5' is not a valid whole number"):
        WholeNumber(min=0).convert("3.5", None, None)


def test_numbers_that_nothing_can_be_compared_with_are_none() -> None:
    for word in ("nan", "inf", "-inf", "1e999"):
        with pytest.raises(click.BadParameter, match="expected a finite number"):
            Number(min=-float("inf")).convert(word, None, None)
        with pytest.raises(click.BadParameter, match="expected finite numbers"):
            Numbers().convert(f"0.5,{word}", None, None)
    assert Number(min=0).convert("1.5", None, None) == 1.5
    with pytest.raises(click.BadParameter, match="not in the range"):
        Number(min=0, min_open=True).convert("0", None, None)


def test_a_whole_number_fits_into_what_is_behind_it() -> None:
    assert WholeNumber(min=0).convert(str(MOST), None, None) == MOST
    with pytest.raises(click.BadParameter, match=f"99999999999 is too large: expected at most {MOST}"):
        WholeNumber(min=0).convert("99999999999", None, None)


@pytest.mark.parametrize(("text", "found"), [("2%", 0.02), (" 2 % ", 0.02), ("0.02", 0.02), ("50%", 0.5), (0.1, 0.1)])
def test_shares(text: str | float, found: float) -> None:
    assert Share(0.001, 0.5).convert(text, None, None) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("60%", "expected a share from 0.1% to 50%, such as 2% or 0.02, but got '60%'$"),
        ("2", r"but got '2'; did you mean 2%\?$"),
        *((word, f"expected a share from .*, but got '{word}'$") for word in ("two", "", "-2%", "0", "nan", "inf")),
    ],
)
def test_what_is_no_share(text: str, message: str) -> None:
    with pytest.raises(click.BadParameter, match=message):
        Share(0.001, 0.5).convert(text, None, None)
