"""The line of the user's own code."""

from __future__ import annotations

import json

import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.network.capture import batched
from b2nn_tvm.mixbin.network.user_code import place_of


def caught(function):
    try:
        function()
    except (ValueError, RuntimeError, InputError) as error:
        return error
    raise AssertionError("nothing was raised")


def own():
    raise ValueError("mine")


def test_the_innermost_frame_that_is_the_users():
    line = own.__code__.co_firstlineno + 1
    assert place_of(caught(own)) == f"test_user_code.py:{line}"


def test_frames_of_packages_are_passed_over():
    for function in (lambda: json.loads("{"), lambda: torch.zeros(2) @ torch.zeros(3), lambda: batched((1,))):
        assert place_of(caught(function)).startswith("test_user_code.py:")


def test_no_frame():
    assert place_of(InputError("never raised")) == ""
