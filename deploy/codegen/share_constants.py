"""A network compiled for several instruction sets: constants that its levels have in common are stored once."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from b2nn_tvm.deploy.codegen.plan_arena import ALIGNMENT
from b2nn_tvm.deploy.codegen.program import Constants, Program, Step, Storage
from b2nn_tvm.targets.target import TargetInfo


@dataclass(frozen=True)
class Level:
    """A network as it is compiled for one target: its program, and the object files of its kernels."""

    target: TargetInfo
    program: Program
    kernels: Sequence[bytes]


def share_constants(levels: Sequence[Level]) -> tuple[Level, ...]:
    """The ``levels`` with the same constants: those of the first level, and behind them what each next one adds.

    The bytes of the layers and steps of a level are then those that it adds; the first level stays as it is.
    """
    if len(levels) == 1:
        return tuple(levels)
    blob = _Blob(levels[0].program)
    programs = [levels[0].program, *(_added(level.program, blob) for level in levels[1:])]
    constants = Constants(tuple(blob.pieces))
    return tuple(
        replace(level, program=replace(program, constants=constants))
        for level, program in zip(levels, programs, strict=True)
    )


def _added(program: Program, blob: _Blob) -> Program:
    """The program with its constants in ``blob``, which grows by those that it lacks."""
    pieces, moved, steps = _pieces_by_offset(program), dict[int, int](), []
    bytes_of, new_in = defaultdict[str, int](int), defaultdict[str, list[int]](list)
    for step in program.steps:
        before = blob.size_bytes
        for offset in _offsets(step):
            if offset not in moved:
                piece = pieces[offset]
                moved[offset], is_new = blob.place(piece)
                new_in[step.layer] += [len(piece)] * is_new
        arguments = tuple(
            replace(each, offset=moved[each.offset]) if each.storage is Storage.CONSTANT else each
            for each in step.arguments
        )
        steps.append(replace(step, arguments=arguments, constant_bytes=blob.size_bytes - before))
        bytes_of[step.layer] += blob.size_bytes - before
    layers = tuple(
        replace(
            row,
            size_bytes=bytes_of[row.name],
            weight_bytes=row.weight_bytes if row.weight_bytes in new_in[row.name] else 0,
        )
        for row in program.layers
    )
    return replace(program, steps=tuple(steps), layers=layers)


class _Blob:
    """The constants of all levels so far, known by their content."""

    def __init__(self, first: Program) -> None:
        self.pieces = list(first.constants.pieces)
        self.size_bytes = len(first.constants)
        pieces = _pieces_by_offset(first)
        used = {offset for step in first.steps for offset in _offsets(step)}
        self._places = {_digest(pieces[offset]): offset for offset in sorted(used, reverse=True)}

    def place(self, piece: bytes | memoryview) -> tuple[int, bool]:
        """The offset of a constant, and whether it was added now."""
        digest = _digest(piece)
        if is_new := digest not in self._places:
            for part in (bytes(-self.size_bytes % ALIGNMENT), piece):
                self.pieces.append(part)
                self.size_bytes += len(part)
            self._places[digest] = self.size_bytes - len(piece)
        return self._places[digest], is_new


def _offsets(step: Step) -> list[int]:
    return [each.offset for each in step.arguments if each.storage is Storage.CONSTANT]


def _pieces_by_offset(program: Program) -> dict[int, bytes | memoryview]:
    """The pieces by where they begin; each constant is one of them, as place_tensors makes them."""
    found, at = dict[int, bytes | memoryview](), 0
    for piece in program.constants.pieces:
        if len(piece):
            found[at] = piece
        at += len(piece)
    return found


def _digest(piece: bytes | memoryview) -> bytes:
    return hashlib.sha256(piece).digest()
