"""An imported network becomes a library, phase after phase, and is checked before it is put in place."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.build_for_target import build_for_target
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.build_library import BuildMetadata
from b2nn_tvm.deploy.library.verification import not_checked
from b2nn_tvm.errors import VerificationError
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.targets.target import NATIVE, get
from tests.support.networks.onnx_models import model, save


@pytest.fixture
def imported(tmp_path):
    return import_onnx(save(tmp_path, model("output = Relu (input)", inputs="float[1,3] input")))


def test_the_phases_come_in_order_and_the_library_runs(tmp_path, imported):
    said, checked, before = [], [], imported.module

    def check(folder):
        checked.append((folder / "manifest.json").is_file())
        return not_checked("a reason")

    options = {"metadata": BuildMetadata("net", "abc"), "say": said.append, "check": check}
    build_for_target(imported, get(NATIVE), tmp_path / "library", **options)
    assert said == ["rewrite", "schedule", "generate code", "link"]
    assert checked == [True] and imported.module.same_as(before)
    with load(tmp_path / "library") as artifact:
        x = np.array([[-1.0, 0.5, 2.0]], np.float32)
        np.testing.assert_array_equal(artifact.run({"input": x})["output"], [[0, 0.5, 2]])
        assert artifact.manifest.verification.reason == "a reason"


def test_a_library_that_fails_its_check_is_not_put_in_place(tmp_path, imported):
    def check(folder):
        raise VerificationError("it is wrong")

    with pytest.raises(VerificationError, match="it is wrong"):
        build_for_target(imported, get(NATIVE), tmp_path / "library", metadata=BuildMetadata("net", "abc"), check=check)
    assert not (tmp_path / "library").exists()
