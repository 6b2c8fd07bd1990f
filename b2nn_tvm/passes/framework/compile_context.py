"""What the passes of one compilation share: the target, the shape of its data, and the books that they keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import tvm

from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.provenance.kernel_layers import KernelLayerIndex
from b2nn_tvm.provenance.layer_names import LayerNamer, NamedLayer
from b2nn_tvm.provenance.rewrite_log import RewriteLog


@dataclass(frozen=True)
class CompileContext:
    """Every pass is made from one of these, and takes from it what it needs.

    ``layers`` are those of the imported file. The passes enter what they did and what they left into ``log``, and which
    layer became which kernel into ``kernels``; so a context serves one compilation.
    """

    target: tvm.target.Target
    layout: VectorLayout
    layers: tuple[NamedLayer, ...]
    log: RewriteLog
    kernels: KernelLayerIndex


def compile_context(layers: Iterable[NamedLayer], *, layout: VectorLayout, target: tvm.target.Target) -> CompileContext:
    """The context to compile a network of these layers with: its log and its index of kernels are empty."""
    layers = tuple(layers)
    return CompileContext(target, layout, layers, RewriteLog(layers), KernelLayerIndex(LayerNamer(layers)))
