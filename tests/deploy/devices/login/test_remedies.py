"""What to do about a login that fails; tests of real failures stand in test_connection.py."""

from __future__ import annotations

from b2nn_tvm.deploy.devices.login.destination import Destination
from b2nn_tvm.deploy.devices.login.remedies import complaint_in, last_line, remedy

BOARD = Destination.parse("ssh://pi@board:2222")


def test_the_complaint_is_the_line_that_has_a_remedy() -> None:
    said = "Warning: this\npi@board: Permission denied (publickey).\nConnection closed.\n"
    assert complaint_in(said) == "pi@board: Permission denied (publickey)."
    assert complaint_in("one\ntwo\n\n") == "two" and complaint_in("") == ""


def test_remedies_are_commands_for_this_board() -> None:
    assert remedy("Permission denied (publickey)", BOARD).endswith('"ssh-copy-id -p 2222 pi@board"')
    assert remedy("Host key verification failed.", BOARD).startswith('log in once with "ssh -p 2222 pi@board"')
    assert remedy("something else", BOARD) == 'check that "ssh -p 2222 pi@board" works'


def test_commands_to_a_terminal_are_not_printable() -> None:
    assert last_line("first\n\x1b[1;31mlast\x1b[0m\n\x1b]0;pi@board: ~\x07\n") == "last" and last_line("\n") == ""
