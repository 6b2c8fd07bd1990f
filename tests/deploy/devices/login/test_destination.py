"""The word of a board over ssh, taken apart and put together."""

from __future__ import annotations

import pytest

from b2nn_tvm.deploy.devices.login.destination import Destination
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.errors import DeviceError


@pytest.mark.parametrize(
    "word",
    [
        "ssh://",
        "ssh://@host",
        "ssh://-oProxyCommand=x",
        "ssh://a b",
        "ssh://host:ssh",
        "ssh://pi@-host",
        "ssh://host/~other/x",
        "ssh://host/a\nb",
    ],
)
def test_misspelled_words_are_refused(word):
    with pytest.raises(DeviceError, match="expected ssh://user@host"):
        open_device(word)


@pytest.mark.parametrize(
    ("word", "expected", "words"),
    [
        ("ssh://board", Destination("board"), ["--", "board"]),
        ("ssh://pi@board", Destination("board", "pi"), ["--", "pi@board"]),
        ("ssh://pi@board:2222/", Destination("board", "pi", "2222"), ["-p", "2222", "--", "pi@board"]),
        ("ssh://[fe80::1]:22", Destination("fe80::1", "", "22"), ["-p", "22", "--", "fe80::1"]),
        ("ssh://board/var/tmp/", Destination("board", folder="/var/tmp"), ["--", "board"]),
        ("ssh://board/~", Destination("board", folder="~"), ["--", "board"]),
        ("ssh://board/~/my nets", Destination("board", folder="~/my nets"), ["--", "board"]),
    ],
)
def test_a_word_is_taken_apart_for_ssh(word, expected, words):
    """The words behind "--" cannot be taken for options."""
    found = Destination.parse(word)
    assert (found, found.words) == (expected, words)


@pytest.mark.parametrize("word", ["ssh://pi@board:2222", "ssh://[fe80::1]", "ssh://board"])
@pytest.mark.parametrize("folder", ["/var/tmp", "~", "~/nets"])
def test_the_word_for_another_folder_is_one(word, folder):
    before, after = Destination.parse(word), Destination.parse(Destination.parse(word).in_folder(folder))
    assert after.folder == folder
    assert (after.host, after.user, after.port) == (before.host, before.user, before.port)
