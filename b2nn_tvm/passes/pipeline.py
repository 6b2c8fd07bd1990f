"""The order of the passes: from an imported network to unscheduled kernels in one layout."""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import relax

from b2nn_tvm.frontend.import_onnx import ImportedModel
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.binary.fold_activation import FoldActivation
from b2nn_tvm.passes.binary.fold_threshold import FoldThreshold
from b2nn_tvm.passes.binary.legalize_sign import LegalizeSign
from b2nn_tvm.passes.binary.lower_binary_dense import LowerBinaryDense
from b2nn_tvm.passes.binary.pool_signs import PoolSigns
from b2nn_tvm.passes.canonicalize.canonicalize_binary_convs import canonicalize_binary_convs
from b2nn_tvm.passes.canonicalize.classify_convs import ConvClass, classify_convs
from b2nn_tvm.passes.fuse.copy_outputs import CopyOutputs
from b2nn_tvm.passes.fuse.fuse_pack import FusePack
from b2nn_tvm.passes.fuse.fuse_pad import FusePad
from b2nn_tvm.passes.fuse.label_kernels import label_kernels, operations
from b2nn_tvm.passes.fuse.mark_broadcasts import MarkBroadcasts
from b2nn_tvm.passes.fuse.pack_weights import PackWeights
from b2nn_tvm.passes.layout.convert_layout import convert_layout
from b2nn_tvm.passes.lower.lower_binary_conv2d import LowerBinaryConv2d
from b2nn_tvm.passes.lower.lower_conv2d import LowerConv2d
from b2nn_tvm.passes.lower.lower_max_pool2d import LowerMaxPool2d
from b2nn_tvm.provenance.kernel_layers import KernelLayerIndex
from b2nn_tvm.provenance.layer_names import LayerNamer
from b2nn_tvm.provenance.rewrite_log import RewriteLog


@dataclass(frozen=True)
class Kernels:
    """A network as calls of fused, unscheduled functions; ``convs`` says which convolutions became binary, and why not,
    ``log`` what the passes did and what they left."""

    module: tvm.IRModule
    book: KernelLayerIndex
    convs: tuple[ConvClass, ...]
    log: RewriteLog


def to_kernels(imported: ImportedModel, layout: VectorLayout, target: tvm.target.Target) -> Kernels:
    """Canonicalize, convert to NHWC, lower to our operators with their data in ``layout``, and fuse."""
    log = RewriteLog(imported.layers)
    canonical = canonicalize_binary_convs(log)(imported.module)
    convs = classify_convs(canonical, layers=imported.layers)
    for conv in convs:
        log.record("ClassifyConvs", conv.name, conv.verdict, applied=conv.binary or conv.weight_binary)
    module = convert_layout(log)(canonical)
    book = KernelLayerIndex(LayerNamer(imported.layers), binary=[conv.name for conv in convs if conv.binary], log=log)
    module = LowerBinaryDense(log)(module)
    module = FoldActivation(log)(module)
    module = PoolSigns(log)(module)
    module = FoldActivation(log)(module)
    module = FoldThreshold(log)(module)
    module = LowerBinaryConv2d(layout, book)(module)
    module = LegalizeSign()(module)
    module = LowerMaxPool2d(log)(module)
    module = LowerConv2d(layout, book)(module)
    with target:
        grouped = _group()(module)
        module = label_kernels(_fuse()(grouped), operations(grouped))
    module = FusePad(book)(FusePack(layout, book)(module))
    module = CopyOutputs()(PackWeights(book)(module))
    return Kernels(module, book, convs, log)


def _group() -> tvm.transform.Pass:
    transform = relax.transform
    passes = (
        transform.FoldConstant(),
        transform.LegalizeOps(),
        transform.AnnotateTIROpPattern(),
        transform.FoldConstant(),
    )
    return tvm.transform.Sequential([*passes, MarkBroadcasts(), transform.FuseOps()], name="group")


def _fuse() -> tvm.transform.Pass:
    return tvm.transform.Sequential([relax.transform.FuseTIR(), relax.transform.DeadCodeElimination()], name="fuse")
