"""The line of the user's own code, and what it said."""

from __future__ import annotations

import json

import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.network.capture import batched
from b2nn_tvm.provenance.user_code import place_of, told, words_of
from b2nn_tvm.targets import target


def caught(function):
    try:
        function()
    except Exception as error:  # noqa: BLE001 - of whatever kind
        return error
    raise AssertionError("nothing was raised")


def own():
    raise ValueError("mine,\n  on two lines")


OWN_LINE = own.__code__.co_firstlineno + 1


class Images(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> object:
        return own()


def test_the_innermost_frame_that_is_the_users():
    assert place_of(caught(own)) == f"test_user_code.py:{OWN_LINE}"


def test_frames_of_packages_are_passed_over():
    functions = (
        lambda: json.loads("{"),
        lambda: torch.zeros(2) @ torch.zeros(3),
        lambda: batched((1,)),
        lambda: target.get("vax"),
    )
    for function in functions:
        assert place_of(caught(function)).startswith("test_user_code.py:")


def test_no_frame():
    assert place_of(InputError("never raised")) == ""
    assert told(KeyboardInterrupt()) == "KeyboardInterrupt"


@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_told_is_the_same_from_a_process_that_loads_data(workers: int):
    error = caught(lambda: list(torch.utils.data.DataLoader(Images(), num_workers=workers)))
    assert words_of(error) == "ValueError: mine, on two lines"
    assert place_of(error) == f"test_user_code.py:{OWN_LINE}"


def test_words_and_line_in_one():
    assert told(caught(lambda: {}["absent"])).startswith("KeyError: 'absent' (test_user_code.py:")
