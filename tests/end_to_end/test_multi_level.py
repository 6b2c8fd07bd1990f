"""One library for several levels of x86: each gives the same integers, and the CPU decides which one runs."""

from __future__ import annotations

import b2nn_runtime
import pytest

from b2nn_tvm.cli.explanation import print_levels
from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.library.bundle import requirements
from b2nn_tvm.deploy.library.library_files import LEVEL_VARIABLE, RUNNER
from b2nn_tvm.deploy.library.verification import THIS_LIBRARY
from tests.support.networks.onnx_models import save
from tests.support.networks.three_kinds import assert_adds_up, assert_same, build, described, image

ISAS = ("avx2", "avxvnni", "avx512", "avx512vpopcntdq")


@pytest.mark.sweep
def test_all_levels_of_x86_give_the_same_integers(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(LEVEL_VARIABLE, raising=False)
    artifact = compile_model(save(tmp_path, build()), target="x86", multi_level=True, output=tmp_path / "net")
    assert artifact.manifest.isas == ISAS
    assert_adds_up(artifact)
    levels = [artifact.at_level(isa) for isa in ISAS]
    running = [level for level in levels if level.target.runs_here]
    if levels[0] not in running:
        pytest.skip("this machine runs no code for x86 with AVX2")
    found = artifact.manifest.verification
    assert found.method == THIS_LIBRARY and found.reason.startswith(f"at the levels {', '.join(names(running))}")
    expected = levels[0].run(image())
    for level in running:
        assert_same(level.run(image()), expected)
    assert described([artifact.folder / RUNNER]) == names(running)[-1]
    assert_same(b2nn_runtime.load(artifact.folder).run(image()), expected)
    assert "faster kernels, for avxvnni, avx512, avx512vpopcntdq" in requirements(artifact.manifest)
    print_levels(artifact)
    printed = capsys.readouterr().out
    assert all(isa in printed for isa in ISAS) and "how each level computes the layers" in printed


def names(levels):
    return [level.target.vector for level in levels]
