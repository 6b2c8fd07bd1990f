"""The line of the user's own code."""

from __future__ import annotations

import json

import pytest
import torch

from b2nn_tvm.errors import InputError, ProgramFault
from b2nn_tvm.faults.program_fault import foreign
from b2nn_tvm.mixbin.network.capture import batched
from b2nn_tvm.mixbin.network.user_code import own_faults, place_of


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


def test_what_the_users_code_raises_is_theirs_with_its_line():
    line = own.__code__.co_firstlineno + 1
    text = rf"^training failed in your code \(test_user_code.py:{line}\): ValueError: mine$"
    with pytest.raises(InputError, match=text) as caught, own_faults("training"):
        own()
    assert isinstance(caught.value.__cause__, ValueError)


def test_what_is_raised_elsewhere_is_a_fault_of_this_program():
    """No frame of a file stands in the traceback of code that was made from text."""
    code = compile("raise KeyError('x')", "<string>", "exec")
    with pytest.raises(ProgramFault, match="^training failed: KeyError: 'x'; this is a fault of this program"):
        exec("with own_faults('training'): exec(code)", {"own_faults": own_faults, "code": code})


def test_errors_for_users_and_of_their_callbacks_pass():
    with pytest.raises(InputError, match="^no shape$"), own_faults("training"):
        raise InputError("no shape")
    with pytest.raises(ValueError, match="^mine$"), own_faults("training"):
        foreign(own)()
