"""Whose fault it is that something was raised, with the line of the user's own code."""

from __future__ import annotations

import pytest

from b2nn_tvm.errors import InputError, ProgramFault
from b2nn_tvm.faults.program_fault import foreign
from b2nn_tvm.mixbin.network.own_faults import own_faults


def own():
    raise ValueError("mine")


def test_what_the_users_code_raises_is_theirs_with_its_line():
    line = own.__code__.co_firstlineno + 1
    text = rf"^training failed in your code: ValueError: mine \(test_own_faults.py:{line}\)$"
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
