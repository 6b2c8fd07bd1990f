"""What ssh complains of when a login fails, and what to do about it."""

from __future__ import annotations

import re

from b2nn_tvm.deploy.devices.login.destination import Destination

_REMEDIES = {
    "Host key verification failed": (
        'log in once with "{login}" to see and accept its key, or mend known_hosts if it changed'
    ),
    "Permission denied": 'a key is needed, as nobody is asked for passwords: "ssh-copy-id{options} {destination}"',
    "Too many authentication failures": "name the key to use in ~/.ssh/config (IdentityFile, IdentitiesOnly)",
    "Could not resolve": "check the name, or use the board's address",
    "Connection refused": "switch the board's ssh server on (raspi-config, Interface Options), or check the port",
    "Connection timed out": "check that the board is switched on, in this network, and that the address is right",
    "No route to host": "check that the board is switched on, in this network, and that the address is right",
    "no matching": "its ssh server is old: allow what it offers for this host in ~/.ssh/config, or update it",
}
# A terminal's title and other commands to it: ECMA-48, 5.4 (CSI) and 5.6 (OSC), which xterm also ends with BEL.
_TERMINAL = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[A-Za-z]")


def complaint_in(complaints: str) -> str:
    """The line of what ssh said that tells most: one that has a remedy, else the last one."""
    lines = [line.strip() for line in complaints.splitlines()]
    return next((line for line in lines if any(sign in line for sign in _REMEDIES)), last_line(complaints))


def remedy(complaint: str, destination: Destination) -> str:
    """What to do about a complaint of ssh, with the commands for this ``destination``."""
    *options, _, host = destination.words
    login = " ".join(["ssh", *options, host])
    text = next((text for sign, text in _REMEDIES.items() if sign in complaint), 'check that "{login}" works')
    return text.format(login=login, options="".join(f" {word}" for word in options), destination=host)


def last_line(text: str) -> str:
    """The last line that has something printable, without commands to the terminal; "" if there is none."""
    lines = [line.strip() for line in _TERMINAL.sub("", text).splitlines()]
    return next(filter(None, reversed(lines)), "")
