"""manifest.json is read and written whole; a damaged one is refused with what is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.library_files import LIBRARY
from b2nn_tvm.deploy.library.manifest import read_manifest
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.block import block_of
from b2nn_tvm.preprocess.preprocess import Preprocess


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["library"].update(abi_version=2), "expected ABI version 1, but the library has 2"),
        (lambda d: d["library"].update(file="../x.so"), "library/file is not as expected"),
        (lambda d: d["sizes"].pop("kernel_code"), "'kernel_code' is a required property"),
        (lambda d: d["inputs"][0].update(shape=[1, "n"]), "inputs/0/shape/1 is not as expected"),
        (lambda d: d.update(kind="b2nn-plan"), "expected a document of kind 'b2nn-manifest'"),
        (lambda d: d["verification"].update(method="by eye"), "verification/method is not as expected"),
        (lambda d: d.update(format_version=9), "expected format version 6"),
        (lambda d: d.update(preprocess={}), "preprocess is not as expected"),
        (lambda d: d.update(labels=[1]), "labels/0 is not as expected"),
        (lambda d: d.pop("labels"), "'labels' is a required property"),
        (lambda d: d.update(format_version=5), "write it again with this version of the tool"),
    ],
)
def test_damaged_manifests_are_refused(workshop, net, tmp_path, change, message):
    document = json.loads((net / "manifest.json").read_text())
    change(document)
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    (tmp_path / LIBRARY).write_bytes((net / LIBRARY).read_bytes())
    with pytest.raises(InputError, match=re.escape(message)):
        load(tmp_path)


def test_the_manifest_survives_reading_and_writing(net, tmp_path):
    manifest = read_manifest(net)
    manifest.save(tmp_path)
    assert read_manifest(tmp_path) == manifest
    assert (tmp_path / "manifest.json").read_text() == (net / "manifest.json").read_text()


def test_the_levels_survive_and_each_has_a_manifest_of_its_own(leveled, tmp_path):
    manifest = read_manifest(leveled)
    manifest.save(tmp_path)
    assert read_manifest(tmp_path) == manifest and len(manifest.levels) == 2
    better = manifest.at_level("avx512")
    assert (better.target, better.steps) == (manifest.levels[0].target, manifest.levels[0].steps)
    assert better.isas == ("avx512",) and better.library == manifest.library
    assert manifest.at_level("avx2") == replace(manifest, levels=())
    with pytest.raises(InputError, match="the library has no level 'neon'; its levels are avx2, avx512, avx512vpop"):
        manifest.at_level("neon")


def test_the_best_level_is_the_last_one_whose_features_are_all_there(leveled):
    manifest = read_manifest(leveled)
    assert manifest.best_isa(["avx1024", "sse"]) == "avx512vpopcntdq" and manifest.best_isa([]) == "avx512"
    wanting = replace(manifest.levels[0], target=replace(manifest.levels[0].target, requires=("avx512f",)))
    assert replace(manifest, levels=(wanting,)).best_isa(["avx2"]) == "avx2"


def test_a_file_from_before_there_were_levels_is_read(net, tmp_path):
    document = json.loads((net / "manifest.json").read_text())
    del document["levels"]
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    assert read_manifest(tmp_path) == read_manifest(net)


def test_what_the_data_mean_survives(net, tmp_path):
    photo = Preprocess.covering((3, 8, 8), (0.5, 0.4, 0.3), (0.2,) * 3)
    manifest = replace(read_manifest(net), preprocess=photo, labels=("cat", "Käse"))
    manifest.save(tmp_path)
    assert read_manifest(tmp_path) == manifest
    document = json.loads((tmp_path / "manifest.json").read_text())
    assert document["preprocess"] == block_of(photo) and document["labels"] == ["cat", "Käse"]
