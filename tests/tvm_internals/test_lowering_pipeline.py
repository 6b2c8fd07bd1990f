"""A module is lowered by our pass, in place of TVM's, and then built by TVM's code generator."""

from __future__ import annotations

import pytest
import tvm
from tvm import te
from tvm.tirx import compilation_pipeline

from b2nn_tvm.targets.target import get
from b2nn_tvm.tvm_internals.lowering_pipeline import build_lowered_by

BREAKS = (
    "tirx.build no longer takes the stages of a pipeline from compilation_pipeline.PIPELINE_MAP: kernels cannot be"
    " built as plain C functions; see b2nn_tvm/tvm_internals/lowering_pipeline.py"
)


def function() -> tvm.tirx.PrimFunc:
    x = te.placeholder((4,), name="x")
    y = te.compute((4,), lambda i: x[i] + 1.0, name="y")
    return te.create_prim_func([x, y]).with_attr("global_symbol", "increment")


def lowering(*, seen: list[str], fail: bool = False) -> tvm.transform.Pass:
    """TVM's own lowering, which notes what it was given."""
    theirs, _, _ = compilation_pipeline.get_tir_pipeline("s_tir")

    @tvm.transform.module_pass(opt_level=0, name="Note")
    def lower(module, _context):
        seen.extend(name.name_hint for name, _ in module.functions_items())
        if fail:
            raise LookupError("not lowered")
        return theirs(module)

    return lower


def test_our_pass_lowers_and_tvm_generates_the_code():
    seen = []
    library = build_lowered_by(lowering(seen=seen), tvm.IRModule({"increment": function()}), get("native").tvm_target())
    assert seen == ["increment"], BREAKS
    assert "increment" in library.inspect_source("asm"), BREAKS


def test_nothing_is_left_in_tvms_table():
    before = dict(compilation_pipeline.PIPELINE_MAP)
    module, target = tvm.IRModule({"increment": function()}), get("native").tvm_target()
    build_lowered_by(lowering(seen=[]), module, target)
    with pytest.raises(Exception, match="not lowered"):
        build_lowered_by(lowering(seen=[], fail=True), module, target)
    assert before == compilation_pipeline.PIPELINE_MAP
