"""Reading the assembly of a kernel: its loops, and how often an instruction stands in each.

A loop is the text between a label and a later jump back to it, which is how LLVM lays loops out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LABEL = re.compile(r"^([.\w$]+):")
_COMMENT = re.compile(r"\s*(?://|#\s|@).*$")
_BRANCH = re.compile(r"(?:j\w+|b(?:\.?\w\w)?|cbn?z|tbn?z)\s(?:.*,\s*)?([.\w$]+)$")
_STACK = re.compile(r".*(?:\(%[re]sp|\[sp)")


@dataclass(frozen=True)
class Loop:
    """The instructions of one turn of a loop, in order, each as ``mnemonic operands`` with single spaces."""

    label: str
    instructions: tuple[str, ...]

    def count(self, pattern: str) -> int:
        """How many instructions begin with a match of the regular expression ``pattern``."""
        return sum(re.match(pattern, instruction) is not None for instruction in self.instructions)


def innermost_loop(assembly: str, pattern: str) -> Loop:
    """Of the loops without a loop inside, the one with the most instructions that match ``pattern``.

    LookupError where no such loop has any.
    """
    candidates = [loop for loop in innermost_loops(assembly) if loop.count(pattern)]
    if not candidates:
        raise LookupError(f"no innermost loop has an instruction {pattern!r}")
    return max(candidates, key=lambda loop: loop.count(pattern))


def innermost_loops(assembly: str) -> tuple[Loop, ...]:
    """The loops that contain no other, in the order of the text."""
    instructions, positions = _parse(assembly)
    ranges = []
    for index, instruction in enumerate(instructions):
        branch = _BRANCH.match(instruction)
        if branch and positions.get(branch[1], len(instructions)) <= index:
            ranges.append((positions[branch[1]], index + 1, branch[1]))
    return tuple(
        Loop(label, tuple(instructions[first:end]))
        for first, end, label in sorted(ranges)
        if not any((f, e) != (first, end) and first <= f and e <= end for f, e, _ in ranges)
    )


def spills(loop: Loop) -> int:
    """Vector registers written to or read from the stack."""
    return sum(bool(_STACK.match(i) and re.search(r"%[xyz]mm\d|\b[qdv]\d", i)) for i in loop.instructions)


def _parse(assembly: str) -> tuple[list[str], dict[str, int]]:
    """All instructions, and for each label the index of the instruction behind it."""
    instructions: list[str] = []
    positions: dict[str, int] = {}
    for line in assembly.splitlines():
        text = " ".join(_COMMENT.sub("", line).split())
        label = _LABEL.match(text)
        if label:
            positions[label[1]] = len(instructions)
        elif text and not text.startswith("."):
            instructions.append(text)
    return instructions, positions
