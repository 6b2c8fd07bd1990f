"""The manifest of a library that was built."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.describe_library import BuildMetadata
from b2nn_tvm.deploy.library.library_files import LIBRARY
from b2nn_tvm.deploy.library.sizes import PARTS
from tests.support.deploy.handmade import N


def test_the_manifest_tells_where_the_bytes_go(net):
    with load(net) as artifact:
        manifest = artifact.manifest
        sizes = manifest.sizes
        assert sizes.library == (net / LIBRARY).stat().st_size == artifact.size_bytes
        assert (sizes.packed_weights, sizes.binary_constants) == (2500, 500)
        assert (sizes.float_weights, sizes.other_constants) == (0, 4 * N - 3000)
        parts = {name: size for name, size in asdict(sizes).items() if name != "library"}
        assert sum(parts.values()) == sizes.library
        assert set(parts) == set(PARTS)
        assert manifest.memory.arena == 2 * 4032
        assert manifest.memory.staging == 2 * 4 * N + 4
        assert manifest.library.sha256 == hashlib.sha256((net / LIBRARY).read_bytes()).hexdigest()
        assert manifest.build.compiler
        assert manifest.build.tvm_version.startswith("0.27")


def test_metadata_reach_the_manifest(workshop):
    folder = workshop.build("shift_one", name="meta", metadata=BuildMetadata("net.onnx", plan_digest="abc", note="x"))
    assert json.loads((folder / "manifest.json").read_text())["build"]["model"] == "net.onnx"
    build = load(folder).manifest.build
    assert (build.plan_digest, build.note) == ("abc", "x")
