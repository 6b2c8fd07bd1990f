"""Every tensor of a straight line of calls gets a place: with the caller, in one planned arena, or in one blob of
constants.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tvm import relax

from b2nn_tvm.deploy.codegen.kernel_call import KernelCall, StraightLine, size_bytes
from b2nn_tvm.deploy.codegen.plan_arena import ALIGNMENT, Border, Lifetime, plan
from b2nn_tvm.deploy.codegen.program import Argument, Constants, Storage
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.relax_query import constant

Places = dict[relax.Var, Argument]


@dataclass(frozen=True)
class PlacedCall:
    """The pointers of one call.

    ``new_constants`` are the sizes in bytes of the constants that no call before reads; ``constant_bytes`` is their
    sum with the gaps between them.
    """

    arguments: tuple[Argument, ...]
    constant_bytes: int
    new_constants: tuple[int, ...]


@dataclass(frozen=True)
class Placement:
    """The calls in order, the size of the arena and the content of the constants."""

    calls: tuple[PlacedCall, ...]
    arena_bytes: int
    constants: Constants


def place_tensors(line: StraightLine, output_names: Sequence[str]) -> Placement:
    """Place all tensors: kernels read inputs and write outputs in the caller's memory, and all else is planned.

    Raises UnsupportedError, with the output's name, where no kernel writes an output, or where another output is the
    same tensor.
    """
    places: Places = {var: Argument(Storage.INPUT, index) for index, var in enumerate(line.parameters)}
    places |= _output_places(line, output_names)
    arena_places, arena_bytes = _arena_places(line, places)
    places |= arena_places
    constants = _Constants()
    calls = tuple(_placed(call, places, constants) for call in line.calls)
    return Placement(calls, max(arena_bytes, ALIGNMENT), Constants(tuple(constants.pieces)))


def _output_places(line: StraightLine, names: Sequence[str]) -> Places:
    places: Places = {}
    inputs = set(line.parameters)
    for index, (tensor, name) in enumerate(zip(line.result_tensors, names, strict=True)):
        if not isinstance(tensor, relax.Var) or tensor in places or tensor in inputs:
            raise UnsupportedError(
                f"output {name!r} is an input, a constant or another output; expected a computed tensor"
            )
        places[tensor] = Argument(Storage.OUTPUT, index)
    return places


def _arena_places(line: StraightLine, taken: Places) -> tuple[Places, int]:
    """Places in the arena for every tensor without one, and the bytes of the arena.

    A tensor lives from the call that writes it to the last call that reads it.
    """
    used: dict[relax.Var, list[int]] = {var: [] for var in line.allocated if var not in taken}
    borders: dict[relax.Var, Border] = {}
    for index, call in enumerate(line.calls):
        for tensor in filter(used.__contains__, call.arguments):
            used[tensor].append(index)
        if call.border is not None:
            shape = map(int, call.result.ty.shape)
            borders[call.result] = (*shape, str(call.result.ty.dtype), *call.border)
    variables = [var for var, steps in used.items() if steps]
    planned = plan([Lifetime(size_bytes(var), min(used[var]), max(used[var]), borders.get(var)) for var in variables])
    offsets = zip(variables, planned.offsets, strict=True)
    return {var: Argument(Storage.ARENA, offset) for var, offset in offsets}, planned.size


def _placed(call: KernelCall, places: Places, constants: _Constants) -> PlacedCall:
    before, arguments, new = constants.size_bytes, [], []
    for tensor in call.arguments:
        value = constant(tensor)
        if value is None:
            arguments.append(places[tensor])
            continue
        arguments.append(Argument(Storage.CONSTANT, constants.offset(value)))
        if arguments[-1].offset >= before:
            new.append(value.nbytes)
    return PlacedCall(tuple(arguments), constants.size_bytes - before, tuple(new))


class _Constants:
    """The pieces of the constants; they grow by each constant that they do not hold yet."""

    def __init__(self) -> None:
        self.pieces: list[bytes | memoryview] = []
        self.size_bytes = 0
        self._offsets: dict[bytes, int] = {}

    def offset(self, value: np.ndarray) -> int:
        content = np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
        digest = hashlib.sha256(content).digest()  # the contents themselves would take their memory once more
        if digest not in self._offsets:
            self._append(bytes(-self.size_bytes % ALIGNMENT))
            self._offsets[digest] = self.size_bytes
            self._append(content)
        return self._offsets[digest]

    def _append(self, piece: bytes | memoryview) -> None:
        self.pieces.append(piece)
        self.size_bytes += len(piece)
