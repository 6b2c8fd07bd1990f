"""The state that the passes of one compilation share: the target, the layout of its data, and the logs that they
keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import tvm

from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.provenance.kernel_layers import KernelLayerIndex
from b2nn_tvm.provenance.layer_names import LayerNamer, NamedLayer, weight_digest
from b2nn_tvm.provenance.once_per_array import OncePerArray
from b2nn_tvm.provenance.rewrite_log import RewriteLog


@dataclass(frozen=True)
class CompileContext:
    """The context of one compilation, from which every one of its passes is made.

    ``layers`` are the layers of the imported file. The passes enter the rewrites that they applied or declined into
    ``log``, and the layer of each kernel into ``kernels``; so a context serves one compilation. ``digest`` is
    ``weight_digest``, computed once for each constant: most passes ask for the name of a layer by its weights.
    """

    target: tvm.target.Target
    layout: VectorLayout
    layers: tuple[NamedLayer, ...]
    digest: Callable[[np.ndarray], str]
    log: RewriteLog
    kernels: KernelLayerIndex


def compile_context(layers: Iterable[NamedLayer], *, layout: VectorLayout, target: tvm.target.Target) -> CompileContext:
    """The context to compile a network of these layers with: its log and its index of kernels are empty."""
    layers = tuple(layers)
    digest = OncePerArray(weight_digest)
    log, kernels = RewriteLog(layers, digest=digest), KernelLayerIndex(LayerNamer(layers, digest=digest))
    return CompileContext(target, layout, layers, digest, log, kernels)
