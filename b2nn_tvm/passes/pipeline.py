"""The order of the passes: from an imported network to unscheduled kernels in one layout."""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import relax

from b2nn_tvm.frontend import ImportedModel
from b2nn_tvm.layer_book import LayerBook
from b2nn_tvm.layer_names import LayerNamer
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.canonicalize_binary_convs import canonicalize_binary_convs
from b2nn_tvm.passes.classify_convs import ConvClass, classify_convs
from b2nn_tvm.passes.convert_layout import convert_layout
from b2nn_tvm.passes.copy_outputs import CopyOutputs
from b2nn_tvm.passes.fold_threshold import FoldThreshold
from b2nn_tvm.passes.fuse_pack import FusePack
from b2nn_tvm.passes.legalize_sign import LegalizeSign
from b2nn_tvm.passes.lower_binary_conv2d import LowerBinaryConv2d
from b2nn_tvm.passes.lower_binary_dense import LowerBinaryDense
from b2nn_tvm.passes.lower_conv2d import LowerConv2d


@dataclass(frozen=True)
class Kernels:
    """A network as calls of fused, unscheduled functions; ``convs`` says which convolutions became binary, and why not."""

    module: tvm.IRModule
    book: LayerBook
    convs: tuple[ConvClass, ...]


def to_kernels(imported: ImportedModel, layout: VectorLayout, target: tvm.target.Target) -> Kernels:
    """Canonicalize, convert to NHWC, lower to our operators with their data in ``layout``, and fuse."""
    canonical = canonicalize_binary_convs()(imported.module)
    convs = classify_convs(canonical, layers=imported.layers)
    module = convert_layout()(canonical)
    book = LayerBook(LayerNamer(imported.layers), binary=[conv.name for conv in convs if conv.binary])
    module = LowerBinaryDense()(module)
    module = FoldThreshold()(module)
    module = LowerBinaryConv2d(layout, book)(module)
    module = LegalizeSign()(module)
    module = LowerConv2d(layout, book)(module)
    with target:
        module = _fuse()(module)
    module = CopyOutputs()(FusePack(layout)(module))
    return Kernels(module, book, convs)


def _fuse() -> tvm.transform.Pass:
    transform = relax.transform
    return tvm.transform.Sequential(
        [
            transform.FoldConstant(),
            transform.LegalizeOps(),
            transform.AnnotateTIROpPattern(),
            transform.FoldConstant(),
            transform.FuseOps(),
            transform.FuseTIR(),
            transform.DeadCodeElimination(),
        ],
        name="fuse",
    )
