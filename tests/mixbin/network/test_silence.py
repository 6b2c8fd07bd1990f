"""Silence while the block runs, and only then."""

import logging
import sys
import warnings

import pytest

from b2nn_tvm.mixbin.network.silence import quiet


def speak():
    logging.getLogger("torch.onnx").error("a log line")
    warnings.warn("a warning", stacklevel=1)
    print("a line")
    print("another", file=sys.stderr)


def test_logs_warnings_and_prints_are_held_back_and_exceptions_pass(capfd, caplog):
    with pytest.raises(KeyError), quiet():
        speak()
        raise KeyError
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_all_are_back_afterwards(capfd, caplog):
    with quiet():
        pass
    with pytest.warns(UserWarning, match="a warning"):
        speak()
    out, err = capfd.readouterr()
    assert out == "a line\n"
    assert err.splitlines()[-1] == "another"  # behind the log line, where torch has put its own handler on stderr
    assert [record.message for record in caplog.records] == ["a log line"]
