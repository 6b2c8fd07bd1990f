"""A context to make a pass of, and stages of the pipeline applied to a module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import tvm

from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.framework.compile_context import CompileContext, compile_context
from b2nn_tvm.passes.pipeline import run
from b2nn_tvm.provenance.layer_names import NamedLayer

BYTES = VectorLayout(float_lanes=8, word="uint8", max_binary_lanes=32)


def context(
    *, layout: VectorLayout = BYTES, layers: Iterable[NamedLayer] = (), nodes: Mapping[str, str] = {}
) -> CompileContext:
    """A fresh context of a network of these layers and nodes."""
    return compile_context(layers, layout=layout, target=tvm.target.Target("llvm"), nodes=nodes)


def apply_stage(stage: Callable, module: tvm.IRModule) -> tvm.IRModule:
    """The module behind one of the stages that pipeline.py names."""
    own = context()
    return run(stage(own), module, own, name="stage")
