"""The output of a script is found in all that comes, however it is cut."""

from __future__ import annotations

import itertools
import random
import subprocess

import pytest

from b2nn_tvm.deploy.devices.login.framed_script import FramedScript


def transcript(script: FramedScript, send: bytes = b"") -> tuple[bytes, bytes]:
    """What a shell prints for the script, on both streams, behind a login's noise."""
    noisy = f"printf 'b2nn-begin-\\n \\033]0;x\\007'; echo noise >&2; {script.command}"
    done = subprocess.run(["sh", "-c", noisy], input=script.sent + send, capture_output=True, check=False)
    return done.stdout, done.stderr


def feed(script: FramedScript, parts: list[bytes]) -> bytes:
    return b"".join(map(script.feed, parts))


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
def test_output_status_and_complaints_are_the_scripts_own(size):
    script = FramedScript("cat; echo complaint >&2; exit 3")
    sent = b"b2nn-end-\n\0\xff" * 5
    stdout, stderr = transcript(script, sent)
    assert feed(script, [stdout[at : at + size] for at in range(0, len(stdout), size)]) == sent
    assert (script.status, script.chatter, script.complaints(stderr)) == (3, "", "complaint\n")


@pytest.mark.parametrize("seed", range(50))
def test_any_output_survives_any_cuts(seed):
    draw = random.Random(seed)
    script = FramedScript("true")
    word = script.sent.split(b"b2nn-end ")[1].split()[0]
    # Parts of marks stand in the output and around it.
    pieces = [b"b2nn-begin-", b"b2nn-end-", word[:5], b"\n", b" ", b"b", b"\0\xff", b"b2nn-end-" + word[:-1]]
    noise, output = (b"".join(draw.choices(pieces, k=draw.randrange(9))) for _ in range(2))
    text = noise + b"b2nn-begin-" + word + b"\n" + output + b"b2nn-end-" + word + b" 7\nlater"
    places = sorted({0, len(text), *(draw.randrange(len(text)) for _ in range(draw.randrange(8)))})
    assert feed(script, [text[a:b] for a, b in itertools.pairwise(places)]) == output
    assert script.status == 7


def test_without_a_beginning_all_is_chatter():
    script = FramedScript("true")
    assert script.feed(b"This account is ") == script.feed(b"not available.\n") == b""
    assert (script.status, script.began, script.chatter) == (None, False, "This account is not available.\n")
    assert script.complaints(b"said") == "said"


def test_output_is_given_out_as_it_comes():
    script = FramedScript("true")
    stdout, _ = transcript(script)
    begin = stdout[: stdout.index(b"b2nn-end-")]
    assert script.feed(begin + b"row\n") == b"row\n"
    assert script.feed(b"b2nn-e") == b"" and script.feed(b"njoy\n") == b"b2nn-enjoy\n"
    assert script.status is None
