"""Give each function the words for its fused operations (attribute OPERATIONS) and its role (attribute ROLE).

    module {NOTED_OPERATIONS: {"conv2d_add": ["conv2d", "shift"]}, NOTED_ROLES: {"conv2d_add": "convolution"}}
        conv2d_add {}
    ->  module {}
        conv2d_add {OPERATIONS: ["conv2d", "shift"], ROLE: "convolution"}

It runs after FuseTIR, which drops the attributes of the functions that it fuses; NoteOperations has noted both
before.
"""

from __future__ import annotations

import tvm
from tvm import tirx

from b2nn_tvm.kernel_attrs import NOTED_OPERATIONS, NOTED_ROLES, OPERATIONS, ROLE
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.kernel_invariants import KERNELS_ONLY, LABELLED, OPERATIONS_NOTED


@tvm.transform.module_pass(opt_level=0, name="LabelKernels")
class LabelKernels(CompilerPass):
    """Move the module's notes about its functions to the functions."""

    requires = (KERNELS_ONLY, OPERATIONS_NOTED)
    ensures = (LABELLED,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        attributes = dict(module.attrs)
        words, roles = attributes.pop(NOTED_OPERATIONS), attributes.pop(NOTED_ROLES, {})

        def labelled(name: str, function: tvm.ir.BaseFunc) -> tvm.ir.BaseFunc:
            if not isinstance(function, tirx.PrimFunc) or name not in words:
                return function
            role = {ROLE: roles[name]} if name in roles else {}
            return function.with_attrs({OPERATIONS: words[name], **role})

        functions = {name: labelled(name.name_hint, function) for name, function in module.functions_items()}
        return tvm.IRModule(functions, attrs=attributes)
