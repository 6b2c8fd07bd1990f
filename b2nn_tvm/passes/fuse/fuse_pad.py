"""Let a result that a float convolution needs padded be written inside its border at once, so that no copy is needed.

    y = call_tir(conv2d_relu, ...);  p = call_tir(pad_input, y);  z = call_tir(conv2d_add, ..., y)
        ->  p = call_tir(conv2d_relu_pad, ...);  z = call_tir(conv2d_add', ..., p)

All other readers of y read the inside of p. The border is set to zero, or to the zero point of codes, by the same
function, once it is scheduled (zero_borders.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.s_tir import SBlock, SBlockRealize

from b2nn_tvm.kernel_attrs import (
    BORDER,
    OPERATIONS,
    PAD,
    PAD_VALUE,
    Operation,
    Role,
    op_of,
    operations_of,
    pad_value_of,
    role_of,
)
from b2nn_tvm.ops.border import Padding, into_border, out_of_border
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.kernel_invariants import KERNELS_ONLY, LABELLED
from b2nn_tvm.relax_query import calls, constant, four, op_name, reads

# Their loops are written for the image that they are given, or read bits, which are packed inside of their padding.
BORDERLESS = (Role.PACK_SIGNS, Role.POOL_BITS, Role.COUNT_BITS)


@tvm.transform.module_pass(opt_level=0, name="FusePad")
class FusePad(CompilerPass):
    """Fuse each padding into the function in front of it, or enter the obstacle into the log; it runs after
    FusePack.
    """

    requires = (KERNELS_ONLY, LABELLED)
    ensures = (KERNELS_ONLY, LABELLED)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        bordered: dict[relax.Var, _Bordered] = {}
        for padded, call in _paddings(module):
            image = call.args[1][0]
            obstacle = (
                _obstacle(module, image) if image not in bordered else "the same is padded otherwise for another layer"
            )
            if not obstacle:
                attrs = module[call.args[0]].attrs
                bordered[image] = _Bordered(padded, call.ty, four(attrs[PAD]), pad_value_of(attrs))
            self._enter(module, padded, obstacle)
        return _Fuser(module, bordered).transform() if bordered else module

    def _enter(self, module: tvm.IRModule, padded: relax.Var, obstacle: str) -> None:
        """Record for each layer that reads a padded tensor which kernel pads it."""
        reason = "its input is computed inside its padding"
        if obstacle:
            reason = f"its input is padded by a kernel of its own: {obstacle}"
        for call in _readers(module, padded):
            values = (value for argument in call.args[1] if (value := constant(argument)) is not None)
            self.record(self.context.kernels.name_of(values), reason, applied=not obstacle)


# The name of a function, the paddings of the images that it reads, the padding of the image that it writes, its value.
_Key = tuple[str, tuple[tuple[int, Padding], ...], Padding | None, int]


@dataclass(frozen=True)
class _Bordered:
    """The new place of an image: it lies in ``padded``, of type ``ty``, with ``padding`` of a ``value`` around it."""

    padded: relax.Var
    ty: relax.TensorType
    padding: Padding
    value: int


def _paddings(module: tvm.IRModule) -> Iterator[tuple[relax.Var, relax.Call]]:
    for var, call in calls(module["main"]):
        if op_name(call) == "relax.call_tir" and PAD in (module[call.args[0]].attrs or {}):
            yield var, call


def _readers(module: tvm.IRModule, var: relax.Var) -> list[relax.Call]:
    kernels = (call for _, call in calls(module["main"]) if op_name(call) == "relax.call_tir")
    return [call for call in kernels if any(var.same_as(field) for field in call.args[1])]


def _obstacle(module: tvm.IRModule, image: relax.Expr) -> str:
    """The reason why an image cannot be computed inside a border; empty where it can."""
    made = dict(calls(module["main"])).get(image) if isinstance(image, relax.DataflowVar) else None
    if made is None:
        return "what it pads is an input or an output of the network, or one of two results of a kernel"
    producer, readers = module[made.args[0]], _readers(module, image)
    if _ends_in_plain_reduction(producer):
        return f"what it pads comes from {made.args[0].name_hint}, which ends in a reduction"
    if sum(image.same_as(field) for call in readers for field in call.args[1]) != reads(module["main"])[image]:
        return "what it pads is an output of the network, too"
    for function in (producer, *(module[call.args[0]] for call in readers)):
        if role_of(function.attrs) in BORDERLESS or relax.analysis.has_reshape_pattern(function):
            return "what it pads is read or made by a kernel that knows no border"
    return ""


def _ends_in_plain_reduction(function: tirx.PrimFunc) -> bool:
    """Whether the last block is a reduction but no convolution: a block behind it would have loops of its own."""
    last = function.body.block.body
    while not isinstance(last, SBlockRealize):
        last = last.seq[-1] if isinstance(last, tirx.SeqStmt) else last.body
    return last.block.init is not None and op_of(last.block.annotations) is None


@mutator
class _Fuser(PyExprMutator):
    def __init__(self, module: tvm.IRModule, bordered: dict[relax.Var, _Bordered]):
        super().__init__(module)
        self._module = module
        self._bordered = bordered
        self._padded = {each.padded: image for image, each in bordered.items()}
        self._functions: dict[_Key, tvm.ir.GlobalVar] = {}

    def transform(self) -> tvm.IRModule:
        main = self._module.get_global_var("main")
        self.builder_.update_func(main, relax.analysis.remove_all_unused(self.visit_expr(self._module[main])))
        return relax.transform.DeadCodeElimination()(self.builder_.get())

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        if binding.var in self._padded:
            self.set_var_remap(binding.var, self.visit_expr(self._padded[binding.var]))
            return
        call, writes = binding.value, self._bordered.get(binding.var)
        inside = {}
        if op_name(call) == "relax.call_tir":
            inside = {i: self._bordered[field] for i, field in enumerate(call.args[1]) if field in self._bordered}
        if not inside and writes is None:
            super().visit_var_binding_(binding)
            return
        function = self._function(call.args[0], {i: each.padding for i, each in inside.items()}, writes)
        arguments = [self.visit_expr(argument) for argument in call.args[1]]
        out = call.ty if writes is None else writes.ty
        types = list(out.fields) if isinstance(out, relax.TupleType) else out
        self.set_var_remap(binding.var, self.builder_.emit(relax.call_tir(function, arguments, out_ty=types)))

    def _function(
        self, name: tvm.ir.GlobalVar, inside: dict[int, Padding], writes: _Bordered | None
    ) -> tvm.ir.GlobalVar:
        outside, value = (None, 0) if writes is None else (writes.padding, writes.value)
        key = (name.name_hint, tuple(inside.items()), outside, value)
        if key not in self._functions:
            function = self._module[name]
            for index, padding in inside.items():
                function = read_inside(function, index, padding)
            function = function if outside is None else write_inside(function, outside, value)
            self._functions[key] = self.builder_.add_func(function, name.name_hint + ("_pad" if writes else ""))
        return self._functions[key]


def write_inside(function: tirx.PrimFunc, padding: Padding, value: int = 0) -> tirx.PrimFunc:
    """The function with its last parameter, an image, inside a border that is still to be set to ``value``."""
    image = function.params[-1]
    tail = into_border(image, padding)
    words = [*operations_of(function.attrs), str(Operation.PAD)]
    return _with(function, image, [*function.params[:-1], *tail.params], before=None, behind=tail).with_attrs(
        {OPERATIONS: words, BORDER: list(padding), **({PAD_VALUE: value} if value else {})}
    )


def read_inside(function: tirx.PrimFunc, index: int, padding: Padding) -> tirx.PrimFunc:
    """The function with its parameter ``index``, an image, inside a border that it does not read."""
    image = function.params[index]
    head = out_of_border(image, padding)
    params = [*function.params[:index], *head.params, *function.params[index + 1 :]]
    return _with(function, image, params, before=head, behind=None)


def _with(
    function: tirx.PrimFunc,
    local: tirx.Var,
    params: list[tirx.Var],
    *,
    before: tirx.PrimFunc | None,
    behind: tirx.PrimFunc | None,
) -> tirx.PrimFunc:
    """The function between the blocks of two others, with ``params`` as its parameters and ``local`` as a buffer of its
    own.
    """
    block = function.body.block
    parts = [part.body.block.body for part in (before, behind) if part is not None]
    body = tirx.SeqStmt([*parts, block.body] if before else [block.body, *parts])
    root = SBlock([], [], [], "root", body, None, [*block.alloc_buffers, local])
    return tirx.PrimFunc(params, SBlockRealize([], tirx.const(True), root), attrs=function.attrs)
