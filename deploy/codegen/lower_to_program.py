"""A Relax network of kernel calls -> a Program: one planned arena, one blob of constants, a straight line of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import tvm
from tvm import relax

from b2nn_tvm.deploy.codegen.book_layers import book_layers, layer_rows, readers_of_bits
from b2nn_tvm.deploy.codegen.kernel_call import KernelCall, is_bits, size_bytes
from b2nn_tvm.deploy.codegen.place_tensors import PlacedCall, place_tensors
from b2nn_tvm.deploy.codegen.program import Program, Step, TensorSpec
from b2nn_tvm.deploy.codegen.read_calls import FindLayer, read_calls
from b2nn_tvm.kernel_attrs import Operation
from b2nn_tvm.provenance.rewrite_log import RewriteLog

_PACKING = {Operation.PACK, Operation.POOL_BITS}


@dataclass(frozen=True)
class LoweringContext:
    """The compiler's knowledge of the kernels.

    ``find_layer`` finds the layer that owns one of the constants that a call reads. ``descriptions`` says how each
    function was scheduled, ``reasons`` why a convolution stayed float. ``workspaces`` is the scratch memory of each
    function in bytes, ``log`` the record of the passes' rewrites.
    """

    find_layer: FindLayer
    descriptions: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    workspaces: Mapping[str, int] = field(default_factory=dict)
    log: RewriteLog = field(default_factory=RewriteLog)


def lower_to_program(
    module: tvm.IRModule,
    *,
    symbols: Mapping[str, str],
    inputs: Sequence[str],
    outputs: Sequence[str],
    workspace_bytes: int,
    context: LoweringContext,
) -> Program:
    """The program of ``main``, whose kernels are PrimFuncs of ``module``; ``symbols`` has the symbol of each in C.

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
    line = read_calls(planned, context.find_layer)
    placement = place_tensors(line, outputs)
    names = book_layers(line.calls)
    readers = readers_of_bits(line.calls, names)
    layers = layer_rows(line.calls, names, placement.calls, descriptions=context.descriptions, reasons=context.reasons)
    return Program(
        inputs=tuple(_spec(name, p) for name, p in zip(inputs, line.parameters, strict=True)),
        outputs=tuple(_spec(name, r) for name, r in zip(outputs, line.results, strict=True)),
        steps=tuple(
            _step(
                call,
                placed,
                symbols[call.function],
                name,
                [reader for var in call.outputs for reader in readers.get(var, ())],
                context,
            )
            for call, placed, name in zip(line.calls, placement.calls, names, strict=True)
        ),
        layers=layers,
        arena_bytes=placement.arena_bytes,
        workspace_bytes=workspace_bytes,
        constants=placement.constants,
        rewrites=context.log.in_order([row.name for row in layers]),
    )


def _step(
    call: KernelCall, placed: PlacedCall, symbol: str, name: str, readers: Sequence[str], context: LoweringContext
) -> Step:
    """The step of a call that is booked under ``name``; ``readers`` are the rows that read its packed result."""
    operations = call.operations or (call.word,)
    packs = any(word in _PACKING for word in operations)
    pack = f"pack for {', '.join(dict.fromkeys(readers))}" if readers else str(Operation.PACK)
    return Step(
        symbol,
        name,
        placed.arguments,
        operations=tuple(pack if word == Operation.PACK else word for word in operations),
        schedule=context.descriptions.get(call.function, ""),
        outputs=tuple("bits" if packs and is_bits(var) else str(var.ty.dtype) for var in call.outputs),
        output_bytes=sum(map(size_bytes, call.outputs)),
        constant_bytes=placed.constant_bytes,
        workspace_bytes=context.workspaces.get(call.function, 0),
    )


def _spec(name: str, expr: relax.Expr) -> TensorSpec:
    return TensorSpec(name, tuple(int(d) for d in expr.ty.shape), str(expr.ty.dtype))
