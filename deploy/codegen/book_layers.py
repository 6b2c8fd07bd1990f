"""Each kernel call is booked under one layer of the network, and each layer gets a row of its facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tvm import relax

from b2nn_tvm.deploy.codegen.kernel_call import KernelCall, is_bits
from b2nn_tvm.deploy.codegen.place_tensors import PlacedCall
from b2nn_tvm.deploy.codegen.program import LayerRow
from b2nn_tvm.kernel_attrs import Role
from b2nn_tvm.provenance.kernel_layers import KernelLayer, is_in_bits

# The roles of kernels that only prepare the input of a layer; these kernels are booked under that layer.
_PROLOGUES = {Role.PACK_SIGNS, Role.PAD_INPUT, Role.POOL_BITS, Role.COUNT_BITS}


def book_layers(calls: Sequence[KernelCall]) -> list[str]:
    """The name of the row under which each call is booked; packing and padding count for the layer that first reads
    their result.
    """
    owners: dict[int, KernelLayer | None] = {}
    for index, call in reversed(list(enumerate(calls))):
        owners[index] = call.layer
        if call.layer is None and call.role in _PROLOGUES:
            later = range(index + 1, len(calls))
            readers = (i for i in later if any(a.same_as(call.result) for a in calls[i].arguments[:-1]))
            reader = next(readers, None)
            owners[index] = None if reader is None else owners[reader]
    return [owner.name if (owner := owners[i]) else f"{call.word}#{i}" for i, call in enumerate(calls)]


def readers_of_bits(calls: Sequence[KernelCall], names: Sequence[str]) -> dict[relax.Var, list[str]]:
    """The rows under which the readers of every packed value are booked; ``names`` are those of ``book_layers``."""
    readers: dict[relax.Var, list[str]] = {var: [] for call in calls for var in call.outputs if is_bits(var)}
    for call, name in zip(calls, names, strict=True):
        for tensor in call.arguments:
            if isinstance(tensor, relax.Var) and tensor in readers and tensor not in call.outputs:
                readers[tensor].append(name)
    return readers


def layer_rows(
    calls: Sequence[KernelCall],
    names: Sequence[str],
    placed: Sequence[PlacedCall],
    *,
    descriptions: Mapping[str, str],
    reasons: Mapping[str, str],
) -> tuple[LayerRow, ...]:
    """One row for each name of ``book_layers``, in order; a layer's row describes the call that computes the layer.

    ``descriptions`` says how each function was scheduled, ``reasons`` why a layer stayed float.
    """
    sizes, weights = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for call, name, place in zip(calls, names, placed, strict=True):
        sizes[name] += place.constant_bytes
        weights[name] += _new_weights(call, place)
    layers = {call.layer.name for call in calls if call.layer}
    rows: dict[str, LayerRow] = {}
    for call, name in zip(calls, names, strict=True):
        if call.layer is None and (name in rows or name in layers):
            continue
        layer = call.layer or KernelLayer(name, call.word, "float", "")
        rows[name] = LayerRow(
            name=name,
            op=layer.op,
            precision=layer.precision,
            reason=reasons.get(name, "") if layer.precision != "int8" and not is_in_bits(layer.precision) else "",
            workload=layer.workload,
            schedule=descriptions.get(call.function, ""),
            size_bytes=sizes[name],
            weight_bytes=weights[name],
        )
    return tuple(rows.values())


def _new_weights(call: KernelCall, place: PlacedCall) -> int:
    """The bytes of the layer's weights; 0 where a layer before has equal weights, which are stored only once."""
    if call.has_weights and call.layer and call.layer.weight_bytes in place.new_constants:
        return call.layer.weight_bytes
    return 0
