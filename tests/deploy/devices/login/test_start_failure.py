"""The cause of a program that does not start, from what a board answers; test_ssh.py asks real ones."""

from __future__ import annotations

import pytest

from b2nn_tvm.deploy.devices.login.start_failure import ProgramFile, cause

PROGRAM = ProgramFile("b2nn-run", "aarch64", "/lib/ld-linux-aarch64.so.1")
GOOD = {
    "present": "yes",
    "executable": "yes",
    "starts": "yes",
    "loader": "yes",
    "libc": "glibc 2.36",
    "machine": "armv7l",
}


def found(complaint: str, **changes: str) -> str:
    return cause(PROGRAM, "\n".join(f"{key}={value}" for key, value in {**GOOD, **changes}.items()), complaint)


@pytest.mark.parametrize(
    ("complaint", "changes", "expected"),
    [
        (
            "sh: ./b2nn-run: not found",
            {"loader": "", "libc": "/lib/ld-musl-aarch64.so.1"},
            "has musl in its place; .*--static",
        ),
        ("sh: ./b2nn-run: not found", {"loader": "", "libc": ""}, "ld-linux-aarch64.so.1, the loader .*--static"),
        ("sh: ./b2nn-run: not found", {}, "the loader of the GNU C library, .*--static"),
        ("sh: ./b2nn-run: Permission denied", {"starts": ""}, "mounted noexec.*; name another folder"),
        ("sh: ./b2nn-run: Permission denied", {"executable": ""}, "keeps no permissions; name another folder"),
        ("sh: ./b2nn-run: not found", {"present": ""}, "not there any more"),
        ("sh: ./b2nn-run: Exec format error", {}, r"is for aarch64, and this system \(armv7l\) cannot start"),
        ("sh: ./b2nn-run: Text file busy", {}, "^sh: ./b2nn-run: Text file busy$"),
    ],
)
def test_the_cause_and_the_remedy_are_named(complaint, changes, expected):
    import re

    assert re.search(expected, found(complaint, **changes))
