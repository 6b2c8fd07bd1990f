"""Give each function the words for what was fused into it: attribute OPERATIONS, which tables show.

    module {NOTED_OPERATIONS: {"fused_conv2d_add": ["conv2d", "shift"]}}: fused_conv2d_add {}
        ->  module {}: fused_conv2d_add {OPERATIONS: ["conv2d", "shift"]}

It stands behind FuseTIR, which drops the attributes of what it fuses; NoteOperations has noted the words before.
"""

from __future__ import annotations

import tvm
from tvm import tirx

from b2nn_tvm.ops.anchor import OPERATIONS
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.kernel_invariants import KERNELS_ONLY, LABELLED, NOTED_OPERATIONS, OPERATIONS_NOTED


@tvm.transform.module_pass(opt_level=0, name="LabelKernels")
class LabelKernels(CompilerPass):
    """Move what the module notes of its functions to them."""

    requires = (KERNELS_ONLY, OPERATIONS_NOTED)
    ensures = (LABELLED,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        attributes = dict(module.attrs)
        words = attributes.pop(NOTED_OPERATIONS)
        functions = {
            name: function.with_attr(OPERATIONS, words[name.name_hint])
            if isinstance(function, tirx.PrimFunc) and name.name_hint in words
            else function
            for name, function in module.functions_items()
        }
        return tvm.IRModule(functions, attrs=attributes)
