"""The state that the passes of one compilation share: the target, the layout of its data, and the logs that they
keep.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

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

    ``layers`` are the layers of the imported file, and the parts into which passes split them; ``nodes`` are as in
    ImportedModel. The passes enter the rewrites that they applied or declined into ``log``, and the layer of each
    kernel into ``kernels``; so a context serves one compilation. ``digest`` is ``weight_digest``, computed once for
    each constant: most passes ask for the name of a layer by its weights.
    """

    target: tvm.target.Target
    layout: VectorLayout
    layers: list[NamedLayer]
    digest: OncePerArray[str]
    log: RewriteLog
    kernels: KernelLayerIndex
    nodes: Mapping[str, str] = field(default_factory=dict)
    _split: Counter[str] = field(default_factory=Counter)

    def name_parts(self, weight: np.ndarray, parts: Mapping[str, np.ndarray]) -> None:
        """Name the layers that are computed in place of the one with this ``weight``: the name of that one and a
        suffix, for each of ``parts`` (weights [O, ...] by suffix).
        """
        digest = self.digest(weight)
        layers = [layer for layer in self.layers if layer.digest == digest]
        turn, self._split[digest] = self._split[digest], self._split[digest] + 1
        for layer in layers[turn : turn + 1]:
            for suffix, part in parts.items():
                named = NamedLayer(layer.name + suffix, layer.kind, self.digest(part))
                self.layers.append(named)
                self.log.add(named)
                self.kernels.namer.add(named)


def compile_context(
    layers: Iterable[NamedLayer],
    *,
    layout: VectorLayout,
    target: tvm.target.Target,
    nodes: Mapping[str, str] = MappingProxyType({}),
) -> CompileContext:
    """The context to compile a network of these layers with: its log and its index of kernels are empty."""
    layers = list(layers)
    digest = OncePerArray(weight_digest)
    log, kernels = RewriteLog(layers, digest=digest), KernelLayerIndex(LayerNamer(layers, digest=digest))
    return CompileContext(target, layout, layers, digest, log, kernels, nodes)
