"""The order of the passes: from an imported network to unscheduled kernels in one layout, and the passes behind the
schedules.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import tvm
from tvm import relax
from tvm.ir.transform import Pass

from b2nn_tvm.faults.program_fault import faults_of
from b2nn_tvm.frontend.import_onnx import ImportedModel
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.binary.fold_activation import FoldActivation
from b2nn_tvm.passes.binary.fold_threshold import FoldThreshold
from b2nn_tvm.passes.binary.legalize_sign import LegalizeSign
from b2nn_tvm.passes.binary.lower_binary_dense import LowerBinaryDense
from b2nn_tvm.passes.binary.pool_signs import PoolSigns
from b2nn_tvm.passes.canonicalize.align_constants import AlignConstants
from b2nn_tvm.passes.canonicalize.canonicalize_sign import CanonicalizeSign
from b2nn_tvm.passes.canonicalize.classify_convs import ClassifyConvs
from b2nn_tvm.passes.canonicalize.fold_affine import FoldAffine
from b2nn_tvm.passes.canonicalize.fold_constants import FoldConstants
from b2nn_tvm.passes.canonicalize.hoist_input_scale import HoistInputScale
from b2nn_tvm.passes.canonicalize.lift_conv1d import LiftConv1d
from b2nn_tvm.passes.canonicalize.merge_pad import MergePad
from b2nn_tvm.passes.canonicalize.normalize_axes import NormalizeAxes
from b2nn_tvm.passes.canonicalize.read_two_values import ReadTwoValues
from b2nn_tvm.passes.canonicalize.sink_sign import SinkSign
from b2nn_tvm.passes.canonicalize.split_binary_weights import SplitBinaryWeights
from b2nn_tvm.passes.canonicalize.unfold_stack import UnfoldStack
from b2nn_tvm.passes.framework.compile_context import CompileContext, compile_context
from b2nn_tvm.passes.framework.find_fault import failing_at
from b2nn_tvm.passes.framework.forget_arrays import ForgetArrays
from b2nn_tvm.passes.fuse.copy_outputs import CopyOutputs
from b2nn_tvm.passes.fuse.fuse_pack import FusePack
from b2nn_tvm.passes.fuse.fuse_pad import FusePad
from b2nn_tvm.passes.fuse.label_kernels import LabelKernels
from b2nn_tvm.passes.fuse.mark_broadcasts import MarkBroadcasts
from b2nn_tvm.passes.fuse.note_operations import NoteOperations
from b2nn_tvm.passes.fuse.pack_weights import PackWeights
from b2nn_tvm.passes.fuse.zero_borders import ZeroBorders
from b2nn_tvm.passes.layout.reshape_transpose import ReshapeTranspose
from b2nn_tvm.passes.layout.sink_transpose import SinkTranspose
from b2nn_tvm.passes.layout.sort_norm_axes import SortNormAxes
from b2nn_tvm.passes.lower.fold_requantize import FoldRequantize
from b2nn_tvm.passes.lower.lower_binary_conv2d import LowerBinaryConv2d
from b2nn_tvm.passes.lower.lower_bitserial import LowerBitserial
from b2nn_tvm.passes.lower.lower_conv2d import LowerConv2d
from b2nn_tvm.passes.lower.lower_extrema import LowerExtrema
from b2nn_tvm.passes.lower.lower_int8 import LowerInt8
from b2nn_tvm.passes.lower.lower_max_pool2d import LowerMaxPool2d
from b2nn_tvm.passes.lower.pool_codes import PoolCodes
from b2nn_tvm.passes.lower.store_codes import StoreCodes
from b2nn_tvm.provenance.conv_class import ConvClass
from b2nn_tvm.provenance.rewrite_log import RewriteLog
from b2nn_tvm.tvm_internals.error_kinds import keep_error_kinds

keep_error_kinds()

# 3-D convolutions stay as they are: they know no layout but this, and would take that of a 2-D one in front of them.
_LAYOUTS = {"relax.nn.conv2d": ["NHWC", "HWIO"], "relax.nn.conv3d": ["NCDHW", "OIDHW"]}


def canonicalize(context: CompileContext) -> tuple[Pass, ...]:
    """Any accepted spelling of a binary convolution becomes the one canonical form, in NCHW:

        s = R.sign(x)  or  R.sign(R.subtract(x, t[1, C, 1, 1]))  or  R.nn.pad(one of them, -1 or +1)
        R.multiply(R.nn.conv2d(s, w = -1 or +1), alpha[1, O, 1, 1])

    Zero padding is the convolution's own; the multiplication is absent where alpha is 1, and a batch norm behind it has
    become one multiplication and one addition.
    """
    return (
        relax.transform.DecomposeOpsForInference(),
        FoldConstants(context),
        relax.transform.CanonicalizeBindings(),
        AlignConstants(context),
        relax.transform.EliminateCommonSubexpr(),  # so that what is computed twice is known to be the same
        LiftConv1d(context),
        FoldAffine(context),  # before the signs: a batch norm in front of a sign is an affine map, not a threshold
        CanonicalizeSign(context),
        HoistInputScale(context),
        SinkSign(context),
        MergePad(context),
        ReadTwoValues(context),  # behind MergePad: what is left is no sign that commutes with what moves it
        SplitBinaryWeights(context),
        FoldAffine(context),  # again: now with alpha and the scale of the signs
        relax.transform.CanonicalizeBindings(),
        relax.transform.DeadCodeElimination(),
        ClassifyConvs(context),
    )


def convert_layout(context: CompileContext) -> tuple[Pass, ...]:
    """The network goes from NCHW to NHWC, weights to HWIO, with transposes at its borders only:

        R.nn.conv2d(x[1, C, H, W], w[O, I, kh, kw])  ->  R.nn.conv2d(x[1, H, W, C], w[kh, kw, I, O])

    ConvertLayout of Relax does the convolutions, pooling and plain arithmetic. SinkTranspose moves the operators that
    ConvertLayout cannot move (pad, clip, where, ...), and SinkSign puts a transpose that came to stand between a sign
    and its convolution before the sign.
    """
    return (
        AlignConstants(context),  # again: the passes since the first time have made new constants
        UnfoldStack(context),
        NormalizeAxes(context),
        relax.transform.CanonicalizeBindings(),  # ConvertLayout loses the layout in a plain ``a = b``
        relax.transform.ConvertLayout(_LAYOUTS),
        relax.transform.CanonicalizeBindings(),  # again: for what ConvertLayout has made
        SortNormAxes(context),
        SinkTranspose(context),
        SinkSign(context),  # again: behind the transposes, which were not there the first time
        ReshapeTranspose(context),
        relax.transform.EliminateCommonSubexpr(),
        relax.transform.CanonicalizeBindings(),
        relax.transform.DeadCodeElimination(),
        ForgetArrays(context),
    )


def lower_binary(context: CompileContext) -> tuple[Pass, ...]:
    """The operators around binary layers become thresholds of integers, and binary layers become popcounts of bits, as
    do layers of a few bits.
    """
    return (
        LowerBitserial(context),  # before LowerBinaryDense, which says of all other dense layers why they stay float
        LowerBinaryDense(context),
        FoldActivation(context),  # before PoolSigns, which knows no activation between a pooling and its sign
        PoolSigns(context),
        FoldActivation(context),  # again: a sign that went before its pooling may have met an activation there
        FoldThreshold(context),
        LowerBinaryConv2d(context),
        LegalizeSign(context),
    )


def lower_float(context: CompileContext) -> tuple[Pass, ...]:
    """Layers of 8 bits and of floats become this project's operators, all other ones TVM's, and neighbours are fused
    into one function.
    """
    return (
        StoreCodes(context),
        PoolCodes(context),
        LowerInt8(context),
        FoldRequantize(context),
        LowerMaxPool2d(context),
        LowerConv2d(context),
        LowerExtrema(context),
        relax.transform.FoldConstant(),
        relax.transform.LegalizeOps(),
        relax.transform.AnnotateTIROpPattern(),
        relax.transform.FoldConstant(),  # again: what LegalizeOps has made of operators on constants
        MarkBroadcasts(context),
        relax.transform.FuseOps(),
        NoteOperations(context),  # while a group of operators still consists of them
        relax.transform.FuseTIR(),
        relax.transform.DeadCodeElimination(),
        LabelKernels(context),
    )


def fuse_kernels(context: CompileContext) -> tuple[Pass, ...]:
    """The functions take over the packing and padding that TVM's fusion leaves between them; -1 and +1 weights become
    bits.
    """
    return (
        FusePack(context),
        FusePad(context),
        PackWeights(context),
        CopyOutputs(context),
        ForgetArrays(context),  # again: weights are packed now
    )


def before_scheduling(context: CompileContext) -> tuple[Pass, ...]:
    """All passes from an imported network to unscheduled functions, in order."""
    return (
        *canonicalize(context),
        *convert_layout(context),
        *lower_binary(context),
        *lower_float(context),
        *fuse_kernels(context),
    )


def after_scheduling(context: CompileContext) -> tuple[Pass, ...]:
    """All passes over scheduled functions, in order."""
    return (ZeroBorders(context),)


@dataclass(frozen=True)
class Kernels:
    """A network as calls of fused, unscheduled functions, with the notes of the passes in their ``context``."""

    module: tvm.IRModule
    context: CompileContext

    @property
    def convs(self) -> tuple[ConvClass, ...]:
        """The class of each convolution: whether it became binary, and why not."""
        return self.context.kernels.convs

    @property
    def log(self) -> RewriteLog:
        """The rewrites that the passes applied, and the ones that they declined."""
        return self.context.log


def to_kernels(imported: ImportedModel, layout: VectorLayout, target: tvm.target.Target) -> Kernels:
    """Canonicalize, convert to NHWC, lower to our operators with their data in ``layout``, and fuse."""
    context = compile_context(imported.layers, layout=layout, target=target, nodes=imported.nodes)
    modules = [imported.module]
    del imported  # so that its weights are freed with the first pass that replaces them
    return Kernels(run(before_scheduling(context), modules.pop(), context, name="before_scheduling"), context)


def finish_scheduled(module: tvm.IRModule, context: CompileContext) -> tvm.IRModule:
    """Apply the passes that need scheduled functions."""
    return run(after_scheduling(context), module, context, name="after_scheduling")


def run(passes: tuple[Pass, ...], module: tvm.IRModule, context: CompileContext, *, name: str) -> tvm.IRModule:
    """Apply passes in order, for the target of the context; TVM's instruments see each inside a pass ``name``.

    Of the modules on the way, only what the present pass was given is held here. Raises ProgramFault, which names the
    pass and the node of the file, for what fails and is no error for users.
    """
    for each in passes:
        with context.target, faults_of("rewriting the network", where=partial(failing_at, each, module, context)):
            module = tvm.transform.Sequential([each], name=name)(module)
    return module
