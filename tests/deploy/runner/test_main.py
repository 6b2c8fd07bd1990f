"""b2nn-run says what it is, and refuses a network that cannot run as it was asked to."""

from __future__ import annotations

import json
import platform

from b2nn_tvm.deploy.library.library_files import RUNNER
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


def test_too_many_threads_are_refused(net):
    assert "cannot make an instance of the network with 257 threads: a bad argument" in refused(net, "--threads", 257)


def test_it_starts_within_50_ms(net):
    """These are milliseconds of the processor, so that it may be busy with something else as well."""
    assert min(seconds_of([net / RUNNER]) for _ in range(10)) < 0.05
