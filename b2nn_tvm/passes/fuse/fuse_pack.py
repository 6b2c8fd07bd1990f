"""Fuse the packing of a result into the convolution that computes it, so that each layer in a chain of binary layers is
one function.

    y = call_tir(fused_bconv2d_multiply_add, ...);  p = call_tir(pack_signs, y, t)
        ->  y, p = call_tir(fused_bconv2d_multiply_add_pack, ..., t)        p alone where nothing else reads y

The new function writes the bits of the image only. The border of zero bits is there already: such an output (attribute
BORDERED of the function) lives in memory of its own, zero from the start, that nothing else writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.s_tir import SBlock, SBlockRealize

from b2nn_tvm.kernel_attrs import BORDERED, OPERATIONS, PADDING, ROLE, Role, operations_of, role_of
from b2nn_tvm.ops.pack_signs import pack_interior, thresholds_of
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.kernel_invariants import KERNELS_ONLY, LABELLED
from b2nn_tvm.relax_query import calls, constant, four, op_name, reads

Users = dict[
    relax.Var, list[tuple[relax.Var, relax.Call]]
]  # the calls of functions that read a value, and their results
Enter = Callable[[list[relax.Call], "relax.Call | None", str], None]


@tvm.transform.module_pass(opt_level=0, name="FusePack")
class FusePack(CompilerPass):
    """Fuse each packing into the convolution in front of it, or enter the obstacle into the log."""

    requires = (KERNELS_ONLY, LABELLED)
    ensures = (KERNELS_ONLY, LABELLED)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        pairs = _find_pairs(module, self.context.layout, self._enter)
        return _Fuser(module, pairs).transform() if pairs else module

    def _enter(self, readers: list[relax.Call], producer: relax.Call | None, obstacle: str) -> None:
        """Record for each layer that reads packed signs which kernel packs them."""
        reason = f"the packing of its input is part of {self._name(producer)}"
        if obstacle:
            reason = f"its input is packed by a kernel of its own: {obstacle}"
        for reader in readers:
            self.record(self._name(reader), reason, applied=not obstacle)

    def _name(self, call: relax.Call | None) -> str:
        """The name of the layer that a call of a function computes, empty where the call computes none."""
        arguments = () if call is None else call.args[1]
        values = (value for argument in arguments if (value := constant(argument)) is not None)
        return self.context.kernels.name_of(values)


@dataclass(frozen=True)
class _Pair:
    """A convolution's call and the packing of its result; ``keep`` where other calls read the result as well."""

    producer: relax.Call
    pack: relax.Call
    packed: relax.Var
    keep: bool


def _find_pairs(module: tvm.IRModule, layout: VectorLayout, enter: Enter) -> dict[relax.Var, _Pair]:
    main = module["main"]
    made: dict[relax.Var, relax.Call] = {}
    readers = reads(main)
    users: Users = defaultdict(list)
    packs: dict[relax.Var, tuple[relax.Var, relax.Call]] = {}
    for var, call in calls(main):
        made[var] = call
        if op_name(call) == "relax.call_tir":
            for field in call.args[1]:
                if isinstance(field, relax.Var):
                    users[field].append((var, call))
        function = _function(module, call)
        if function is not None and PADDING in (function.attrs or {}):
            packs.setdefault(call.args[1][0], (var, call))
    pairs = {}
    for y, (packed, call) in packs.items():
        obstacle = (
            _obstacle(module, made.get(y), call, layout)
            if isinstance(y, relax.DataflowVar)
            else "what it packs is an output of the network"
        )
        if not obstacle:
            pairs[y] = _Pair(made[y], call, packed, readers[y] > 1)
        enter(_layers_that_read(module, packed, users), made.get(y), obstacle)
    return pairs


def _layers_that_read(module: tvm.IRModule, packed: relax.Var, users: Users) -> list[relax.Call]:
    """The calls of layers that read packed signs, as they are or pooled."""
    found = [
        (var, call)
        for var, call in users.get(packed, [])
        if role_of(module[call.args[0]].attrs) is not Role.COUNT_BITS  # it prepares a layer that reads them, too
    ]
    pools = [var for var, call in found if role_of(module[call.args[0]].attrs) is Role.POOL_BITS]
    return [call for var, call in found if var not in pools] + [
        call for var in pools for call in _layers_that_read(module, var, users)
    ]


def _function(module: tvm.IRModule, call: relax.Call) -> tirx.PrimFunc | None:
    return module[call.args[0]] if op_name(call) == "relax.call_tir" else None


def _obstacle(module: tvm.IRModule, producer: relax.Call | None, pack: relax.Call, layout: VectorLayout) -> str:
    """The reason why a packing cannot be part of the call that computes its input; empty where it can."""
    function = None if producer is None else _function(module, producer)
    if producer is None or function is None:
        return "what it packs is an input of the network"
    if role_of(function.attrs) is not Role.CONVOLUTION:
        return f"what it packs comes from {producer.args[0].name_hint}, which is no convolution"
    *padding, pad_value = (int(value) for value in module[pack.args[0]].attrs[PADDING])
    if any(padding) and pad_value == 1:
        return "its border is of ones"
    channels = int(producer.ty.shape[3])
    if channels % layout.float_lanes or not layout.packs_in_tiles(channels):
        return f"{channels} channels are not whole vectors and words"
    return ""


@mutator
class _Fuser(PyExprMutator):
    def __init__(self, module: tvm.IRModule, pairs: dict[relax.Var, _Pair]):
        super().__init__(module)
        self._module = module
        self._pairs = pairs
        self._packed = {pair.packed: y for y, pair in pairs.items()}
        self._results: dict[relax.Var, relax.Var] = {}
        self._functions: dict[tuple[str, str, bool], tvm.ir.GlobalVar] = {}

    def transform(self) -> tvm.IRModule:
        for name, function in self._module.functions_items():
            if isinstance(function, relax.Function):
                self.builder_.update_func(name, relax.analysis.remove_all_unused(self.visit_expr(function)))
        return self.builder_.get()

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        if binding.var in self._pairs:
            self._emit_fused(binding.var, self._pairs[binding.var])
        elif binding.var in self._packed:
            self.set_var_remap(binding.var, self._results[self._packed[binding.var]])
        else:
            super().visit_var_binding_(binding)

    def _emit_fused(self, y: relax.Var, pair: _Pair) -> None:
        key = (pair.producer.args[0].name_hint, pair.pack.args[0].name_hint, pair.keep)
        if key not in self._functions:
            pack = self._module[pair.pack.args[0]]
            fused = compose(self._module[pair.producer.args[0]], pack, pair.pack.ty, keep=pair.keep)
            self._functions[key] = self.builder_.add_func(fused, key[0] + "_pack")
        arguments = [self.visit_expr(argument) for argument in (*pair.producer.args[1], pair.pack.args[1][1])]
        types = [y.ty, pair.pack.ty] if pair.keep else pair.pack.ty
        result = self.builder_.emit(relax.call_tir(self._functions[key], arguments, out_ty=types))
        if pair.keep:
            self.set_var_remap(y, self.builder_.emit(relax.TupleGetItem(result, 0)))
            result = self.builder_.emit(relax.TupleGetItem(result, 1))
        self._results[y] = result


def compose(producer: tirx.PrimFunc, pack: tirx.PrimFunc, packed: relax.TensorType, *, keep: bool) -> tirx.PrimFunc:
    """One function (inputs of the producer, thresholds, [y], p): the producer's blocks, then the packing of y."""
    y = producer.params[-1]
    padding = four(pack.attrs[PADDING][:4])
    tail = pack_interior(y, padding, four(packed.shape), word=str(packed.dtype), thresholds=thresholds_of(pack))
    threshold, bits = tail.params
    block = producer.body.block
    root = SBlock(
        [],
        [],
        [],
        "root",
        tirx.SeqStmt([block.body, tail.body.block.body]),
        None,
        [*block.alloc_buffers, *([] if keep else [y])],
    )
    parameters = [*producer.params[:-1], threshold, *([y] if keep else []), bits]
    words = [*operations_of(producer.attrs), *operations_of(pack.attrs)]
    attrs = {"tirx.noalias": True, ROLE: str(Role.CONVOLUTION), OPERATIONS: words}
    attrs |= {BORDERED: list(padding)} if any(padding) else {}
    return tirx.PrimFunc(parameters, SBlockRealize([], tirx.const(True), root)).with_attrs(attrs)
