"""The plan of one block of memory in which the tensors of a straight line of steps live: tensors that are never needed
at the same time share memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 64

# The shape, the type and the widths of the border of a tensor; tensors with equal borders can share memory.
Border = tuple[int | str, ...]


@dataclass(frozen=True)
class Lifetime:
    """A tensor of ``size`` bytes, written by step ``first`` and read until step ``last``.

    A tensor with a ``border`` is written inside a border of zeros that is there from the start: only tensors of an
    equal border may ever use its memory.
    """

    size: int
    first: int
    last: int
    border: Border | None = None


@dataclass(frozen=True)
class Plan:
    """The offset of each tensor, a multiple of ALIGNMENT, and the bytes of the whole block."""

    offsets: tuple[int, ...]
    size: int


def plan(tensors: Sequence[Lifetime]) -> Plan:
    """Place the largest tensor first, and each one at the lowest offset that is free as long as it lives.

    Source: Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020, section 5.2: greedy by
    size for offset calculation.
    """
    blocks = [_Block(t.size, t.first, t.last, (i,)) for i, t in enumerate(tensors) if t.border is None]
    blocks += _shared(tensors)
    placed: list[tuple[int, _Block]] = []
    for block in sorted(blocks, key=lambda block: (-block.size, block.first)):
        offset = 0
        for start, other in sorted((each for each in placed if each[1].meets(block)), key=lambda each: each[0]):
            if start - offset >= block.size:
                break
            offset = max(offset, _aligned(start + other.size))
        placed.append((offset, block))
    offsets = {tensor: offset for offset, block in placed for tensor in block.tensors}
    total = max((_aligned(offset + block.size) for offset, block in placed), default=0)
    return Plan(tuple(offsets[i] for i in range(len(tensors))), total)


@dataclass(frozen=True)
class _Block:
    """Memory for one tensor, or for several with equal borders, one after the other."""

    size: int
    first: int
    last: int
    tensors: tuple[int, ...]

    def meets(self, other: _Block) -> bool:
        return self.first <= other.last and other.first <= self.last


def _shared(tensors: Sequence[Lifetime]) -> list[_Block]:
    """Blocks for the tensors with borders: the blocks live for ever, and there are as few as the lifetimes allow."""
    queues: dict[tuple[Border | None, int], list[list[int]]] = {}
    for index in sorted((i for i, t in enumerate(tensors) if t.border is not None), key=lambda i: tensors[i].first):
        same = queues.setdefault((tensors[index].border, tensors[index].size), [])
        queue = next((queue for queue in same if tensors[queue[-1]].last < tensors[index].first), None)
        if queue is None:
            same.append(queue := [])
        queue.append(index)
    always = max((t.last for t in tensors), default=0)
    return [_Block(tensors[queue[0]].size, 0, always, tuple(queue)) for same in queues.values() for queue in same]


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
