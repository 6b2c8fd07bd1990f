"""The three examples of CONTRIBUTING.md work as they are printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import tvm
from tvm.relax import op

from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selectors import registry
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NCHW
from b2nn_tvm.passes.framework.rewriter import rewrite_calls
from b2nn_tvm.relax_query import op_name
from b2nn_tvm.targets import target
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, module, random_input, run
from tests.support.paths import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LINES = 14  # of an example, its first comment included


def example(language: str, containing: str) -> str:
    """The block of this language that holds these words."""
    blocks = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    (block,) = [block for block in blocks if containing in block]
    assert len(block.splitlines()) <= LINES
    return block


def test_it_is_one_screen() -> None:
    assert len(TEXT.splitlines()) <= 80


def test_a_new_target_is_one_file(tmp_path, monkeypatch) -> None:
    block = example("toml", "opi5")
    (tmp_path / "opi5.toml").write_text(block, encoding="utf-8")
    monkeypatch.setattr(target, "FOLDER", tmp_path)
    assert target.names() == ("opi5", target.NATIVE)
    found = target.get("opi5")
    assert (found.name, found.cores, found.requires) == ("opi5", 4, ("asimd",))
    assert str(found.tvm_target().attrs["mcpu"]) == "cortex-a76"


def test_a_new_selector_is_one_file() -> None:
    names: dict[str, Any] = {
        "dataclass": dataclass,
        "ClassVar": ClassVar,
        "ScoringTask": ScoringTask,
        "Sensitivity": Sensitivity,
    }
    exec(example("python", "selectors/"), names)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3),
        torch.nn.Conv2d(8, 8, 3),
        torch.nn.Conv2d(8, 4, 3),
        torch.nn.Conv2d(4, 2, 3),
        torch.nn.Flatten(),
    )
    batch = (torch.zeros(1, 3, 12, 12), torch.zeros(1, dtype=torch.int64))
    found = registry.score(names["FewestWeights"](), network.eval(), [batch])
    assert found.method == "fewest-weights"
    assert {name: found.scores[name] for name in ("1", "2")} == {"1": 576.0, "2": 288.0}


def test_a_new_pass_is_one_file() -> None:
    names: dict[str, Any] = {
        "tvm": tvm,
        "CompilerPass": CompilerPass,
        "NCHW": NCHW,
        "rewrite_calls": rewrite_calls,
        "op_name": op_name,
    }
    exec(example("python", "passes/"), names)

    fold = names["FoldAbs"](context())
    assert_becomes(fold, lambda x: op.negative(op.abs(op.abs(x))), lambda x: op.negative(op.abs(x)))
    assert_stays(fold, lambda x: op.abs(op.negative(x)))
    before, x = module(lambda x: op.abs(op.abs(x))), random_input()
    np.testing.assert_array_equal(run(fold(before), x), run(before, x))
