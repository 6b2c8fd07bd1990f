"""A Relax network of kernel calls -> a Program: one planned arena, one blob of constants, a straight line of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.deploy.codegen.plan_arena import ALIGNMENT, Lifetime, plan
from b2nn_tvm.deploy.codegen.program import Argument, LayerRow, Program, Step, Storage, TensorSpec
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.kernel_attrs import BORDERED, Operation, Role, operations_of, role_of
from b2nn_tvm.provenance.kernel_layers import KernelLayer
from b2nn_tvm.provenance.rewrite_log import RewriteLog

_PROLOGUES = {Role.PACK_SIGNS, Role.PAD_INPUT, Role.POOL_BITS}
_PACKING = {Operation.PACK, Operation.POOL_BITS}
_VIEWS = ("relax.reshape", "relax.memory.view", "relax.flatten", "relax.expand_dims", "relax.squeeze")


@dataclass(frozen=True)
class LoweringContext:
    """What the compiler knows of the kernels: ``find_layer`` finds the layer that owns one of some constants,
    ``reasons`` why a convolution stayed float, ``descriptions`` how each function was scheduled, ``workspaces`` its
    scratch memory in bytes, ``log`` what the passes did.
    """

    find_layer: Callable[[Sequence[np.ndarray]], KernelLayer | None]
    descriptions: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    workspaces: Mapping[str, int] = field(default_factory=dict)
    log: RewriteLog = field(default_factory=RewriteLog)


def lower_to_program(
    module: tvm.IRModule,
    *,
    prefix: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    workspace_bytes: int,
    context: LoweringContext,
) -> Program:
    """The program of ``main``, whose kernels are all PrimFuncs of ``module``; their symbols are ``prefix`` + name.

    Raises UnsupportedError where an operator is implemented outside TVM's code generator (sorting, say).
    """
    planned = tvm.transform.Sequential(
        [
            relax.transform.RewriteDataflowReshape(),
            relax.transform.ToNonDataflow(),
            relax.transform.RemovePurityChecking(),
            relax.transform.CallTIRRewrite(),
            relax.transform.AttachGlobalSymbol(),
        ]
    )(module)
    return _Lowering(planned, prefix, context).program(inputs, outputs, workspace_bytes)


@dataclass
class _Call:
    """A kernel call on its way: arguments as Relax expressions until all of them are placed; ``outputs`` are those it
    writes.

    ``has_weights``: the weights of ``layer`` are a constant that it reads. Packed weights are read by the call that
    expands them.
    """

    function: str
    arguments: tuple[relax.Expr, ...]
    outputs: tuple[relax.Var, ...]
    layer: KernelLayer | None
    has_weights: bool


class _Lowering:
    def __init__(self, module: tvm.IRModule, prefix: str, context: LoweringContext):
        self._module = module
        self._main = module["main"]
        self._prefix = prefix
        self._context = context
        self._places: dict[relax.Var, Argument] = {}
        self._aliases: dict[relax.Var, relax.Expr] = {}
        self._tuples: dict[relax.Var, relax.Tuple] = {}
        self._expanded: dict[relax.Var, KernelLayer | None] = {}
        self._allocated: list[relax.Var] = []
        self._arena = 0
        self._blob = bytearray()
        self._offsets: dict[bytes, int] = {}
        self._calls: list[_Call] = []
        self._written: set[relax.Var] = set(self._main.params)
        self._weights: dict[str, int] = {}
        self._readers: dict[relax.Var, list[str]] = {}

    def program(self, inputs: Sequence[str], outputs: Sequence[str], workspace_bytes: int) -> Program:
        for index, parameter in enumerate(self._main.params):
            self._places[parameter] = Argument(Storage.INPUT, index)
        results = self._results()
        for block in self._main.body.blocks:
            for binding in block.bindings:
                self._bind(binding.var, binding.value)
        self._place_outputs(results, outputs)
        self._place_others()
        names = self._book()
        self._readers = self._readers_of_bits(names)
        steps = [self._step(call, name) for call, name in zip(self._calls, names, strict=True)]
        layers = self._rows(names, steps)
        return Program(
            inputs=tuple(_spec(name, p) for name, p in zip(inputs, self._main.params, strict=True)),
            outputs=tuple(_spec(name, r) for name, r in zip(outputs, results, strict=True)),
            steps=tuple(steps),
            layers=layers,
            arena_bytes=max(self._arena, ALIGNMENT),
            workspace_bytes=workspace_bytes,
            constants=bytes(self._blob),
            rewrites=self._context.log.in_order([row.name for row in layers]),
        )

    def _step(self, call: _Call, name: str) -> Step:
        before = len(self._blob)
        arguments = tuple(map(self._argument, call.arguments))
        self._weights[name] = self._weights.get(name, 0) + self._new_weights(call, arguments, before)
        operations = operations_of(self._function(call).attrs) or (_kernel_word(call.function),)
        packs = any(word in _PACKING for word in operations)
        readers = dict.fromkeys(reader for var in call.outputs for reader in self._readers.get(var, ()))
        return Step(
            self._prefix + call.function,
            name,
            arguments,
            operations=tuple(
                f"pack for {', '.join(readers)}" if word == Operation.PACK and readers else word for word in operations
            ),
            schedule=self._context.descriptions.get(call.function, ""),
            outputs=tuple("bits" if packs and _is_bits(var) else str(var.ty.dtype) for var in call.outputs),
            output_bytes=sum(map(_size, call.outputs)),
            constant_bytes=len(self._blob) - before,
            workspace_bytes=self._context.workspaces.get(call.function, 0),
        )

    def _function(self, call: _Call) -> tvm.tirx.PrimFunc:
        return self._module[call.function]

    def _new_weights(self, call: _Call, arguments: Sequence[Argument], before: int) -> int:
        """The bytes of the layer's weights, 0 where another layer has equal ones: they are stored once."""
        new = lambda argument: argument.storage is Storage.CONSTANT and argument.offset >= before
        sizes = (self._root(e).value.numpy().nbytes for e, argument in zip(call.arguments, arguments) if new(argument))
        return call.layer.weight_bytes if call.has_weights and call.layer.weight_bytes in sizes else 0

    def _readers_of_bits(self, names: Sequence[str]) -> dict[relax.Var, list[str]]:
        """For every packed value the names of the calls that read it."""
        readers = {var: [] for call in self._calls for var in call.outputs if _is_bits(var)}
        for call, name in zip(self._calls, names):
            own = set(call.outputs)
            for root in map(self._root, call.arguments):
                if isinstance(root, relax.Var) and root in readers and root not in own:
                    readers[root].append(name)
        return readers

    def _results(self) -> list[relax.Expr]:
        body = self._resolve_tuple(self._main.body.body)
        return list(body.fields) if isinstance(body, relax.Tuple) else [body]

    def _resolve_tuple(self, expr: relax.Expr) -> relax.Expr:
        bound = relax.analysis.get_var2val(self._main)
        while isinstance(expr, relax.Var) and isinstance(bound.get(expr), (relax.Var, relax.Tuple)):
            expr = bound[expr]
        return expr

    def _bind(self, var: relax.Var, value: relax.Expr) -> None:
        if isinstance(value, (relax.Var, tvm.ir.GenericConst)):
            self._aliases[var] = value
            return
        if isinstance(value, relax.Tuple):
            self._tuples[var] = value
            return
        if isinstance(value, relax.TupleGetItem):
            self._aliases[var] = self._tuple(value.tuple_value).fields[value.index]
            return
        if isinstance(value, relax.ShapeExpr):
            return
        if not isinstance(value, relax.Call):
            raise UnsupportedError(
                f"cannot build {type(value).__name__} into a library; the network must be a straight line"
            )
        name = value.op.name if isinstance(value.op, tvm.ir.Op) else ""
        if isinstance(value.op, tvm.ir.GlobalVar):
            constants = [a.value.numpy() for a in value.args if isinstance(a, tvm.ir.GenericConst)]
            roots = dict.fromkeys(root for root in map(self._root, value.args) if isinstance(root, relax.Var))
            outputs = tuple(var for var in roots if var not in self._written)
            self._written.update(outputs)
            layer = self._context.find_layer(constants)
            if role_of(self._module[value.op].attrs) is Role.EXPAND_WEIGHTS:
                self._expanded.update(dict.fromkeys(outputs, layer))
            whose = layer or next(filter(None, map(self._expanded.get, roots)), None)
            self._calls.append(
                _Call(value.op.name_hint, tuple(value.args), outputs, whose, has_weights=layer is not None)
            )
        elif name == "relax.builtin.alloc_tensor":
            self._allocated.append(var)
        elif name in _VIEWS or _is_reshape(value):
            self._aliases[var] = (
                value.args[1].fields[0]
                if _is_reshape(value) and isinstance(value.args[1], relax.Tuple)
                else value.args[0]
            )
        else:
            raise UnsupportedError(f"operator {name or value.op} has no kernel that can be built into a library")

    def _root(self, expr: relax.Expr) -> relax.Expr:
        while isinstance(expr, relax.Var) and expr in self._aliases:
            expr = self._aliases[expr]
        return expr

    def _tuple(self, expr: relax.Expr) -> relax.Tuple:
        while isinstance(expr, relax.Var):
            expr = self._tuples[expr] if expr in self._tuples else self._aliases[expr]
        return expr

    def _place_outputs(self, results: Sequence[relax.Expr], names: Sequence[str]) -> None:
        """Let the kernels write results where the caller wants them."""
        taken: set[relax.Var] = set()
        for index, (result, name) in enumerate(zip(results, names, strict=True)):
            root = self._root(result)
            if not isinstance(root, relax.Var) or root in taken or root in self._places:
                raise UnsupportedError(
                    f"output {name!r} is an input, a constant or another output; expected a computed tensor"
                )
            taken.add(root)
            self._places[root] = Argument(Storage.OUTPUT, index)

    def _argument(self, expr: relax.Expr) -> Argument:
        root = self._root(expr)
        if isinstance(root, tvm.ir.GenericConst):
            return Argument(Storage.CONSTANT, self._constant(root.value.numpy()))
        return self._places[root]

    def _place_others(self) -> None:
        """Plan the arena: every tensor that is no output lives from the step that writes it to the last that reads
        it.
        """
        used: dict[relax.Var, list[int]] = {var: [] for var in self._allocated if var not in self._places}
        borders: dict[relax.Var, tuple] = {}
        for index, call in enumerate(self._calls):
            for root in filter(used.__contains__, map(self._root, call.arguments)):
                used[root].append(index)
            border = (self._function(call).attrs or {}).get(BORDERED)
            if border is not None:
                var = self._root(call.arguments[-1])
                borders[var] = (*map(int, var.ty.shape), str(var.ty.dtype), *map(int, border))
        variables = [var for var, steps in used.items() if steps]
        planned = plan([Lifetime(_size(var), min(used[var]), max(used[var]), borders.get(var)) for var in variables])
        self._arena = planned.size
        self._places |= {
            var: Argument(Storage.ARENA, offset) for var, offset in zip(variables, planned.offsets, strict=True)
        }

    def _constant(self, value: np.ndarray) -> int:
        content = np.ascontiguousarray(value).tobytes()
        if content not in self._offsets:
            self._blob.extend(b"\0" * (-len(self._blob) % ALIGNMENT))
            self._offsets[content] = len(self._blob)
            self._blob.extend(content)
        return self._offsets[content]

    def _book(self) -> list[str]:
        """The row under which each call is booked: packing and padding count for the layer that reads them first."""
        owners: dict[int, KernelLayer | None] = {}
        for index, call in reversed(list(enumerate(self._calls))):
            owners[index] = call.layer
            if call.layer is None and role_of(self._function(call).attrs) in _PROLOGUES:
                result = self._root(call.arguments[-1])
                later = range(index + 1, len(self._calls))
                readers = (
                    i for i in later if any(self._root(a).same_as(result) for a in self._calls[i].arguments[:-1])
                )
                owners[index] = owners.get(next(readers, None))
        calls = enumerate(self._calls)
        return [owner.name if (owner := owners[i]) else f"{_kernel_word(call.function)}#{i}" for i, call in calls]

    def _rows(self, names: Sequence[str], steps: Sequence[Step]) -> tuple[LayerRow, ...]:
        rows: dict[str, LayerRow] = {}
        sizes: dict[str, int] = {}
        for step in steps:
            sizes[step.layer] = sizes.get(step.layer, 0) + step.constant_bytes
        for call, name in zip(self._calls, names, strict=True):
            if call.layer is None and name in rows:
                continue
            layer = call.layer or KernelLayer(name, _kernel_word(call.function), "float", "")
            if call.layer is None and any(other.layer and other.layer.name == name for other in self._calls):
                continue
            rows[name] = LayerRow(
                name=name,
                op=layer.op,
                precision=layer.precision,
                reason=self._context.reasons.get(name, "") if layer.precision != "binary" else "",
                workload=layer.workload,
                schedule=self._context.descriptions.get(call.function, ""),
                size_bytes=sizes[name],
                weight_bytes=self._weights[name],
            )
        return tuple(rows.values())


def _size(var: relax.Var) -> int:
    return prod(int(d) for d in var.ty.shape) * np.dtype(str(var.ty.dtype)).itemsize


def _is_bits(var: relax.Var) -> bool:
    return str(var.ty.dtype) in ("uint8", "uint32")


def _kernel_word(function: str) -> str:
    return function.removeprefix("fused_").rstrip("0123456789").rstrip("_").removesuffix("_pad")


def _is_reshape(call: relax.Call) -> bool:
    callee = call.op if isinstance(call.op, relax.ExternFunc) else (call.args[0] if call.args else None)
    return isinstance(callee, relax.ExternFunc) and str(callee.global_symbol) == "vm.builtin.reshape"


def _spec(name: str, expr: relax.Expr) -> TensorSpec:
    return TensorSpec(name, tuple(int(d) for d in expr.ty.shape), str(expr.ty.dtype))
