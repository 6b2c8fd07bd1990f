"""The login on a board: its words, and what a failure says."""

from __future__ import annotations

import pytest

from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.devices.login.destination import Destination
from b2nn_tvm.errors import DeviceError


def test_a_login_that_fails_says_what_to_do(own_server, monkeypatch):
    def refusal() -> str:
        with open_device(own_server.address) as device, pytest.raises(DeviceError) as caught:
            device.describe()
        return str(caught.value)

    login = f"-p {own_server.port} pi@127.0.0.1"
    (own_server.home / "authorized_keys").write_text("")
    assert refusal().endswith(f'"ssh-copy-id {login}"')
    (own_server.folder / "known_hosts").write_text("")
    assert f'log in once with "ssh {login}"' in refusal()
    own_server.disappear()
    assert "raspi-config" in refusal()
    monkeypatch.setenv("B2NN_SSH", "/no/such/ssh -v")
    assert "cannot start '/no/such/ssh'" in refusal() and "apt install openssh-client" in refusal()


@pytest.mark.parametrize(
    "word", ["ssh://", "ssh://@host", "ssh://-oProxyCommand=x", "ssh://a b", "ssh://host:ssh", "ssh://pi@-host"]
)
def test_misspelled_words_are_refused(word):
    with pytest.raises(DeviceError, match="expected ssh://user@host"):
        open_device(word)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("ssh://board", (Destination("board"), ["--", "board"])),
        ("ssh://pi@board", (Destination("board", "pi"), ["--", "pi@board"])),
        ("ssh://pi@board:2222/", (Destination("board", "pi", "2222"), ["-p", "2222", "--", "pi@board"])),
        ("ssh://[fe80::1]:22", (Destination("fe80::1", "", "22"), ["-p", "22", "--", "fe80::1"])),
    ],
)
def test_a_word_is_taken_apart_for_ssh(word, expected):
    """The words behind "--" cannot be taken for options."""
    found = Destination.parse(word)
    assert (found, found.words) == expected
