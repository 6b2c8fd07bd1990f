"""Networks whose float weights are more than a core's caches hold are measured beside a second reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.costs.options import option
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.loop.measuring import second_reference as module
from b2nn_tvm.loop.measuring.second_reference import second_choice, second_reference
from tests.support.loop.small_job import NAMES, small_job


def test_a_small_network_needs_no_second_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = small_job(tmp_path / "state")
    assert second_choice(job) == () and second_reference(job) is None
    monkeypatch.setattr(module, "OWN_CACHE_BYTES", 0)
    assert second_choice(job) == NAMES


def test_it_has_the_fewest_bits_that_the_settings_allow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OWN_CACHE_BYTES", 0)
    of = lambda *words: second_choice(small_job(tmp_path / "state", precisions=words))
    assert of("binary", "int8", "float") == NAMES
    assert set(of("int8", "float")) >= {option(name, "int8") for name in NAMES}


def test_where_it_cannot_be_built_one_reference_has_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_of: object) -> Artifact:
        raise UnsupportedError("layer conv2 was to be binary, but the compiler left it float")

    monkeypatch.setattr(module, "OWN_CACHE_BYTES", 0)
    monkeypatch.setattr(module, "build_network", refuse)
    assert second_reference(small_job(tmp_path / "state")) is None
