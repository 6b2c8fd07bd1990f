"""b2nn-run says what it is and what it can do, and refuses wrong usage."""

from __future__ import annotations

import json
import platform
import re

import pytest

from b2nn_tvm.deploy.library.build_library import RUNNER, RUNNER_SOURCES
from b2nn_tvm.deploy.library.manifest import read_manifest
from b2nn_tvm.version import __version__
from tests.support.deploy.handmade import N
from tests.support.deploy.runner_process import refused, start
from tests.support.processor_time import seconds_of


def test_describe_tells_what_the_manifest_tells(net):
    document = json.loads(start(net, "--describe").stdout)
    manifest = read_manifest(net)
    assert document["runner"] == {
        "abi_version": 1,
        "version": __version__,
        "arch": platform.machine(),
        "compiler": manifest.build.compiler,
    }
    library = document["library"]
    assert (library["model_id"], library["steps"]) == (manifest.library.model_id, len(manifest.steps))
    assert (library["target"], library["isa"]) == (manifest.target.name, manifest.target.vector)
    assert library["inputs"] == [{"name": "input", "dtype": "float32", "shape": [1, N]}]
    assert library["outputs"][1] == {"name": "tasks", "dtype": "int32", "shape": []}


def test_the_version_tells_what_it_was_built_with(net):
    line = start(net, "--version").stdout
    compiler = read_manifest(net).build.compiler
    assert line == f"b2nn-run {__version__} for {platform.machine()}, C interface version 1, built with {compiler}\n"


def test_help_names_every_option(net):
    source = (RUNNER_SOURCES / "main.c").read_text()
    options = set(re.findall(r'"(--[a-z]+)"', source))
    assert options == set(re.findall(r"--[a-z]+", start(net, "--help").stdout))
    assert len(options) == 13


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
        (["a", "b"], "unexpected argument 'b': there is a library already, 'a'"),
        (["--output", "x"], "the network has 2 outputs, not 1"),
        (["--input", "x", "--input", "y"], "the network has 1 inputs, not 2"),
        (["--output", "x"] * 65, "--output is given more than 64 times"),
    ],
)
def test_wrong_usage_is_status_2(net, words, message):
    assert refused(net, *words, status=2) == f"error: {message}"


def test_too_many_threads_are_refused(net):
    assert "cannot make an instance of the network with 257 threads: a bad argument" in refused(net, "--threads", 257)


def test_it_starts_within_50_ms(net):
    """These are milliseconds of the processor, so that it may be busy with something else as well."""
    assert min(seconds_of([net / RUNNER]) for _ in range(10)) < 0.05
