"""The invariants of the operators of Relax between two passes. ``violation`` names the first place that breaks one; the
tests check them before and after every pass of the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax
from tvm.ir import GenericConst

from b2nn_tvm.kernel_attrs import SIGN_MEANING
from b2nn_tvm.passes.framework.invariant import Invariant, of_every_call, relax_functions
from b2nn_tvm.passes.patterns.axes import negative_axes
from b2nn_tvm.passes.patterns.elementwise import BROADCASTING
from b2nn_tvm.passes.patterns.sign_patterns import has_binary_groups, is_binary_conv, is_signed
from b2nn_tvm.provenance.layer_names import split_sign_and_scale
from b2nn_tvm.relax_query import Definition, constant, dtype, op_name, shape


def _in_layout(data: str, kernel: str) -> Callable[[relax.Call, Definition], str]:
    def complaint(call: relax.Call, _definition: Definition) -> str:
        if op_name(call) != "relax.nn.conv2d":
            return ""
        found = (str(call.attrs.data_layout), str(call.attrs.kernel_layout))
        return "" if found == (data, kernel) else f"a convolution in {found[0]} with weights in {found[1]}"

    return complaint


def _computed_from_constants(call: relax.Call, _definition: Definition) -> str:
    fields = [field for arg in call.args for field in (arg.fields if isinstance(arg, relax.Tuple) else [arg])]
    tensors = [field for field in fields if isinstance(field, relax.Var | GenericConst)]
    constants = bool(tensors) and all(isinstance(tensor, GenericConst) for tensor in tensors)
    return f"{op_name(call)} of constants" if op_name(call) and constants else ""


def _unaligned_constant(call: relax.Call, _definition: Definition) -> str:
    if op_name(call) not in BROADCASTING:
        return ""
    ranks = [value.ndim for arg in call.args if (value := constant(arg)) is not None]
    return next((f"a constant of rank {rank} in {op_name(call)}" for rank in ranks if 0 < rank < len(shape(call))), "")


def _alias(module: tvm.IRModule) -> str:
    for function in relax_functions(module):
        for block in function.body.blocks:
            for binding in block.bindings:
                aliased = isinstance(binding, relax.VarBinding) and isinstance(binding.value, relax.Var)
                if aliased and isinstance(binding.var, relax.DataflowVar):
                    return f"{binding.var.name}: another name of {binding.value.name}"
    return ""


def _sign_meaning(module: tvm.IRModule) -> str:
    found = (module.attrs or {}).get(SIGN_MEANING)
    return "" if found == "binary" else f"the module's attribute {SIGN_MEANING} is {found}"


def _unsplit_weights(call: relax.Call, definition: Definition) -> str:
    weight = constant(call.args[1]) if op_name(call) == "relax.nn.conv2d" else None
    if weight is None or not has_binary_groups(call) or dtype(call) != "float32":
        return ""
    if not is_signed(call.args[0], definition):
        return ""
    scaled = (np.abs(weight) != 1).any() and split_sign_and_scale(weight) is not None
    return "a convolution of signs by weights of ±alpha" if scaled and call.attrs.kernel_layout == "OIHW" else ""


def _binary_dense(call: relax.Call, definition: Definition) -> str:
    weight = constant(call.args[1]) if op_name(call) == "relax.matmul" and len(shape(call)) == 2 else None
    if weight is None or weight.ndim != 2 or op_name(definition(call.args[0])) != "relax.sign":
        return ""
    return "" if split_sign_and_scale(np.ascontiguousarray(weight.T)) is None else "a dense layer of signs by ±alpha"


def _any_sign(module: tvm.IRModule) -> str:
    marked = SIGN_MEANING in (module.attrs or {})
    found = of_every_call(lambda call, definition: "a sign" if op_name(call) == "relax.sign" else "")(module)
    return f"the module has the attribute {SIGN_MEANING}" if marked else found


def _float_conv(call: relax.Call, _definition: Definition) -> str:
    if op_name(call) != "relax.nn.conv2d" or call.attrs.data_layout != "NHWC":
        return ""
    weight = constant(call.args[1])
    return "a convolution by constant weights" if weight is not None and weight.dtype == np.float32 else ""


def _axis_from_end(call: relax.Call, _definition: Definition) -> str:
    return next((f"{name} of {op_name(call)} counts from the end" for name, _ in negative_axes(call)), "")


NCHW = Invariant(
    "NCHW", "2-D convolutions are in NCHW, their weights in OIHW.", of_every_call(_in_layout("NCHW", "OIHW"))
)
NHWC = Invariant(
    "NHWC", "2-D convolutions are in NHWC, their weights in HWIO.", of_every_call(_in_layout("NHWC", "HWIO"))
)
CONSTANTS_FOLDED = Invariant(
    "CONSTANTS_FOLDED",
    "No operator is left that has constants alone as its tensors.",
    of_every_call(_computed_from_constants),
)
CONSTANTS_ALIGNED = Invariant(
    "CONSTANTS_ALIGNED",
    "A constant operand of an elementwise operator is a scalar or has the rank of the result.",
    of_every_call(_unaligned_constant),
)
AXES_FROM_FRONT = Invariant(
    "AXES_FROM_FRONT",
    "Operators that ConvertLayout has a rule for count their axes from the front.",
    of_every_call(_axis_from_end),
)
NO_ALIASES = Invariant("NO_ALIASES", "No variable of a dataflow block is another name of a variable.", _alias)
SIGN_IS_BINARY = Invariant(
    "SIGN_IS_BINARY", "R.sign means +1 where its argument is >= 0, else -1, and the module says so.", _sign_meaning
)
WEIGHTS_SPLIT = Invariant(
    "WEIGHTS_SPLIT",
    "Convolutions of signs, without groups or with wide ones, have weights of -1 and +1 where theirs were ±alpha.",
    of_every_call(_unsplit_weights),
)
NO_BINARY_DENSE = Invariant(
    "NO_BINARY_DENSE", "No dense layer of signs by ±alpha is left.", of_every_call(_binary_dense)
)
NO_BINARY_CONV = Invariant(
    "NO_BINARY_CONV",
    "No convolution in canonical binary form is left.",
    of_every_call(lambda call, definition: "a binary convolution" if is_binary_conv(call, definition) else ""),
)
NO_SIGN = Invariant("NO_SIGN", "No R.sign is left, and the module says nothing of its meaning.", _any_sign)
CONVS_LOWERED = Invariant(
    "CONVS_LOWERED",
    "No NHWC convolution by constant float32 weights is an operator of Relax.",
    of_every_call(_float_conv),
)
