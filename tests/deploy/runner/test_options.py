"""b2nn-run refuses wrong usage, and its help names every option."""

from __future__ import annotations

import re

import pytest

from b2nn_tvm.deploy.library.write_sources import RUNNER_SOURCES
from tests.support.deploy.runner_process import refused, start


def test_help_names_every_option(net):
    source = (RUNNER_SOURCES / "options.c").read_text()
    options = set(re.findall(r'"(--[a-z-]+)"', source))
    assert options == set(re.findall(r"--[a-z-]+", start(net, "--help").stdout))
    assert len(options) == 27


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fast"], "unexpected argument '--fast'; b2nn-run --help lists the options"),
        (["--input"], "--input needs a value"),
        (["--runs", "many", "--profile"], "--runs takes a number from 0 to 1000000, not 'many'"),
        (["--top", "0"], "--top takes a number from 1 to 1000000, not '0'"),
        (["--threads", "-1"], "--threads takes a number from 0 to 1000000, not '-1'"),
        (["--profile", "--seconds", "nan"], "--seconds takes a number of seconds above 0 and up to 86400, not 'nan'"),
        (["--runs", "3"], "--runs needs --profile"),
        (["--profile", "--labels", "x"], "--labels and --profile exclude each other"),
        (["--profile", "--describe"], "--profile and --describe exclude each other"),
        (["--warmup", "3"], "--warmup needs --profile or --interleave"),
        (["--seed", "3"], "--seed needs --interleave"),
        (["--interleave"], "--interleave needs --reference LIBRARY"),
        (
            ["--interleave", "--reference", "x", "--second-reference"],
            "--second-reference needs a LIBRARY besides the reference",
        ),
        (["--interleave", "--reference", "x", "--runs", "3"], "--runs is no option of --interleave"),
        (["--profile", "--profiled"], "--profiled is no option of --profile"),
        (["--interleave", "--reference", "x", "--input", "y"], "--input and --interleave exclude each other"),
        (["--rounds", "0", "--interleave"], "--rounds takes a number from 1 to 1000000, not '0'"),
        (["--seed", "-1", "--interleave"], "--seed takes a number from 0 to 18446744073709551615, not '-1'"),
        (["--seed", f"{2**64}"], "--seed takes a number from 0 to 18446744073709551615, not '18446744073709551616'"),
        (["--burst-ms", "0"], "--burst-ms takes a number of milliseconds above 0 and up to 10000, not '0'"),
        (["--describe", "a", "b"], "unexpected argument 'b' with --describe"),
        (["a.png", "--input", "x"], "--input is for the values of an input; leave it out with photos and frames"),
        (["a.png", "--camera", "x"], "photos, --camera and --frames exclude one another"),
        (["--json"], "--json needs a photo, --camera or --frames"),
        (["--limit", "3"], "--limit needs --camera or --frames"),
        (["--camera", "x", "--output", "y"], "--output takes one photo, and no stream of them"),
        (["--profile", "--frames", "8x8"], "--frames and --profile exclude each other"),
        (["--output", "x"], "the network has 2 outputs, not 1"),
        (["--input", "x", "--input", "y"], "the network has 1 inputs, not 2"),
        (["--output", "x"] * 65, "--output is given more than 64 times"),
    ],
)
def test_wrong_usage_is_status_2(net, words, message):
    assert refused(net, *words, status=2) == f"error: {message}"
