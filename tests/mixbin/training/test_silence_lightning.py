"""Lightning's chatter is dropped inside and nothing else is; what training draws goes to stderr alone."""

from __future__ import annotations

import logging
import re
import warnings

import pytest

from b2nn_tvm.cli import draw_progress
from b2nn_tvm.mixbin.training.silence_lightning import quiet_lightning
from b2nn_tvm.mixbin.training.train import train
from tests.support.mixbin.training import network

LOGGERS = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]


def test_it_is_quiet_and_the_bar_goes_to_stderr(data, capfd, monkeypatch):
    train(network(), data, epochs=1)
    assert capfd.readouterr() == ("", "")
    with draw_progress.progress() as lines:
        train(network(), data, epochs=1, progress=lines)
    assert capfd.readouterr() == ("", "train ...\n")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich draws bars then, as on a terminal
    with draw_progress.progress() as bars:
        train(network(), data, epochs=1, progress=bars)
    printed = capfd.readouterr()
    assert printed.out == ""
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", printed.err)
    assert re.search(r"✓ train 0:\d\d  loss \d\.\d{3}, accuracy \d+\.\d%", text)


def levels():
    return [logger.level for logger in LOGGERS]


def test_the_loggers_tell_errors_alone_and_are_as_before_afterwards():
    before = levels()
    with quiet_lightning():
        assert levels() == [logging.ERROR] * 2
    assert levels() == before != [logging.ERROR] * 2
    with pytest.raises(KeyError), quiet_lightning():
        raise KeyError
    assert levels() == before


def test_named_warnings_are_dropped_and_others_are_not():
    noise = "The 'train_dataloader' does not have many workers which may be a bottleneck."
    with quiet_lightning():
        warnings.warn(noise, stacklevel=1)
        with pytest.raises(UserWarning, match="the images are dark"):
            warnings.warn("the images are dark", stacklevel=1)
    with pytest.raises(UserWarning, match="may be a bottleneck"):
        warnings.warn(noise, stacklevel=1)
