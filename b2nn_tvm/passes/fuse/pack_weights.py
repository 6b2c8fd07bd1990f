"""Store weights of -1 and +1 as bits, and expand them in front of the convolution that reads them.

    y = call_tir(conv2d, x, w const)
        ->  w = call_tir(expand_weights, bits const);  y = call_tir(conv2d, x, w)

It runs after constant folding, which would undo it, and after the fusions, which find layers by their weights. The
convolution is computed like a float layer: by the same kernel, with the same tiles, as Winograd where a float layer is.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax, te

from b2nn_tvm.kernel_attrs import OPERATIONS, ROLE, Operation, Role
from b2nn_tvm.ops.expand_weights import expand_weights, expand_winograd_weights
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.kernel_invariants import KERNELS_ONLY, LABELLED
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.relax_query import constant, op_name


@tvm.transform.module_pass(opt_level=0, name="PackWeights")
class PackWeights(CompilerPass):
    """Replace the weights for which the index of kernels has bits, and let the index know that the bits are held
    instead.
    """

    requires = (KERNELS_ONLY, LABELLED)
    ensures = (KERNELS_ONLY, LABELLED)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, self._pack)

    def _pack(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        if op_name(call) != "relax.call_tir":
            return None
        function, (*arguments,), *others = call.args
        for index, weight in enumerate(map(constant, arguments)):
            if weight is None:
                continue
            name = self.context.kernels.name_of([weight])
            bits = self.context.kernels.replace_with_bits(weight) if name else None
            if bits is not None:
                arguments[index] = context.emit(_expand(weight, bits, context))
                self._enter(name, weight, bits)
                return relax.Call(call.op, [function, relax.Tuple(arguments), *others], call.attrs, call.ty_args)
        return None

    def _enter(self, name: str, weight: np.ndarray, bits: np.ndarray) -> None:
        reason = f"its weights are {bits.nbytes} bytes of bits, expanded in each run to {weight.nbytes} bytes of floats"
        self.record(name, reason, applied=True)


def _expand(weight: np.ndarray, bits: np.ndarray, context: RewriteContext) -> relax.Expr:
    """A call that makes ``weight``, in the layout of a direct or a Winograd convolution, of its bits [O / lanes, kh,
    kw, words].
    """
    channels, lanes = weight.shape[3:]
    direct = weight.shape[:3] == bits.shape[:3]

    def compute(bits: te.Tensor) -> te.Tensor:
        if direct:
            return expand_weights(bits, channels=channels, lanes=lanes)
        return expand_winograd_weights(bits, channels=channels, lanes=lanes, m=weight.shape[0] - 2)

    attrs = {ROLE: str(Role.EXPAND_WEIGHTS), OPERATIONS: [str(Operation.UNPACK_WEIGHTS)]}
    return context.call_te(compute, relax.const(bits), name="expand_weights", attrs=attrs)
