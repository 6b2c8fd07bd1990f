"""The state that the passes of one compilation share: the target, the layout of its data, and the logs that they
keep.
"""

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
    """The context of one compilation, from which every one of its passes is made.

    ``layers`` are the layers of the imported file. The passes enter the rewrites that they applied or declined into
    ``log``, and the layer of each kernel into ``kernels``; so a context serves one compilation.
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
