"""A call that is bounded in time gives what it gives, raises what it raises, or is left to itself."""

from __future__ import annotations

import threading

import pytest

from b2nn_tvm.deploy.devices.deadline import call_within


def test_what_a_call_returns_comes_back():
    assert call_within(10, divmod, 17, 5) == (3, 2)


@pytest.mark.parametrize("error", [ValueError("odd"), KeyboardInterrupt(), SystemExit(3)])
def test_what_a_call_raises_is_raised_in_the_thread_that_waits(error):
    def fail():
        raise error

    with pytest.raises(type(error)) as raised:
        call_within(10, fail)
    assert raised.value is error


def test_a_call_that_takes_longer_is_left_to_itself():
    go_on, ended = threading.Event(), threading.Event()

    def wait():
        go_on.wait(10)
        ended.set()

    with pytest.raises(TimeoutError, match=r"^no answer for 0\.02 s$"):
        call_within(0.02, wait)
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(10)
