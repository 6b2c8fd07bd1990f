"""The login on a board: what it prints and which shell it has do not matter, and what a failure says."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from b2nn_tvm.deploy.devices.login.connection import CommandFailed, SshLink
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.errors import DeviceError, DeviceLost
from tests.support.boards.ssh_server import SshServer

NOISE = "echo Welcome; echo '{\"row\": \"end\"}'; echo a warning >&2; printf '\\033]0;pi@board: ~\\007'"
BYTES = bytes(range(256)) * 300


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


def shell_of(server: SshServer, kind: str) -> str:
    """The path of a shell of this kind that the board's user may run, whose start file prints all kinds of things."""
    files = {"bash": ".bashrc", "tcsh": ".tcshrc", "busybox": ".profile", "sh": ".ssh/rc"}
    (server.home / ".ssh").mkdir()
    (server.home / files[kind]).write_text(NOISE + "\n")
    if kind in ("bash", "sh"):
        found = shutil.which(kind)
        assert found
        return found
    try:
        program = server.install_shell(kind)
    except FileNotFoundError as error:
        pytest.skip(f'{error}; get it with "make ssh-server"')
    if kind == "tcsh":
        return str(program)
    places = server.home / "bin"  # the first in PATH: the whole board is one of busybox
    places.mkdir()
    for tool in ("ash", "sh", "dd", "mktemp", "tar", "cat", "rm", "df", "awk", "mkdir", "chmod", "head", "uname", "ls"):
        (places / tool).symlink_to(program)
    return str(places / "ash")


@pytest.mark.parametrize("kind", ["sh", "bash", "tcsh", "busybox"])
def test_shells_and_what_they_print_do_no_harm(own_server, kind):
    own_server.disappear()
    own_server.write_config(f"Banner {own_server.folder}/config", "PermitUserEnvironment yes")
    config = own_server.folder / "config"
    config.write_text(config.read_text().replace("SetEnv ", "SetEnv LC_ALL=xx_YY.UTF-8 LANG=xx_YY.UTF-8 "))
    own_server.use_shell(shell_of(own_server, kind))
    own_server.start()
    link = SshLink(own_server.address, timeout_s=60)
    try:
        assert link.folder.startswith(f"{own_server.home}/tmp/b2nn-")
        assert link.call("printf '%s\\n' 'a!b\\n\\\\'") == b"a!b\\n\\\\\n"
        assert link.call("cat; printf '\\n\\n'", send=BYTES) == BYTES + b"\n\n"
        assert list(link.lines("echo one; echo two; printf three")) == ["one", "two"]
        with pytest.raises(CommandFailed, match=f"^{own_server.address}: ls: .*no-such") as caught:
            link.call("echo half; ls no-such")
        assert caught.value.status > 0
        with pytest.raises(CommandFailed, match="out of memory"):
            list(link.lines("sh -c 'kill -9 $$'"))
    finally:
        link.close()
    assert own_server.left_behind() == []


def test_lines_come_as_they_are_printed(ssh):
    link = SshLink(ssh.address, timeout_s=60)
    try:
        lines = link.lines("echo first; echo second; cat; sleep 600")
        start = time.monotonic()
        assert [next(lines), next(lines)] == ["first", "second"]
        assert time.monotonic() - start < 60
        lines.close()
    finally:
        link.close()


def test_a_login_that_waits_for_somebody_is_named(own_server):
    own_server.use_shell(str(program(own_server, "echo 'Press 1 for the menu:'; exec sleep 600")))
    with pytest.raises(DeviceLost, match=r"the login printed 'Press 1 for the menu:', and did nothing for 3 s"):
        SshLink(own_server.address, timeout_s=3)


@pytest.mark.parametrize("stream", ["", ">&2"])
def test_a_login_that_starts_no_commands_is_named(own_server, stream):
    own_server.use_shell(str(program(own_server, f"echo 'This account is not available.' {stream}; exit 1")))
    with pytest.raises(DeviceError, match="the login starts no commands: This account is not available.; .*chsh"):
        SshLink(own_server.address, timeout_s=60)


def program(server: SshServer, script: str) -> Path:
    """A program of the board."""
    path = server.folder / "shell"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
