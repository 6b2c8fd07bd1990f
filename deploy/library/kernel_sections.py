"""How much code the kernels of a library are, from the sections of their object files."""

from __future__ import annotations

from collections.abc import Sequence

from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.library.elf import is_hard_float, shared_elf


def kernel_code_bytes(levels: Sequence[Level]) -> list[int]:
    """The bytes of the sections that hold the kernels of each level, without those that hold kernels of one before it;
    raises ValueError where the kernels do not fit.
    """
    counted, found = set[tuple[bytes, int]](), []
    for level in levels:
        sections = _kernel_sections(level)
        found.append(sum(size for section, size in sections.items() if section not in counted))
        counted |= sections.keys()
    return found


def _kernel_sections(level: Level) -> dict[tuple[bytes, int], int]:
    """The sizes of the sections that hold the kernels of a level, by their object file and their number in it."""
    target, missing = level.target, {step.symbol for step in level.program.steps}
    sections = dict[tuple[bytes, int], int]()
    for content in level.kernels:
        elf = shared_elf(content)
        if elf.arch != target.arch:
            raise ValueError(f"the kernels are for {elf.arch}, the target {target.name} is {target.arch}")
        if target.float_abi != "soft" and elf.arch == "armv7l" and not is_hard_float(content):
            raise ValueError(
                "the kernels pass floats in integer registers, which a hard-float system cannot load; the target"
                f' {target.name} needs float_abi = "hard"'
            )
        found = elf.homes.keys() & missing
        sections |= {(content, elf.homes[name].index): elf.homes[name].size_bytes for name in found}
        missing -= elf.homes.keys()
    if missing:
        raise ValueError(f"the kernel objects do not define {', '.join(sorted(missing))}")
    return sections
