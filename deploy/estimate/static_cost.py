"""The cost of a kernel on a CPU that is not here: an estimate from its instructions, never a measurement.

The emulator counts how often each run of instructions is executed (exactly), and llvm-mca's model of the CPU gives the
cycles of one execution (an estimate). Without llvm-mca the number of instructions is the cost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import tvm

from b2nn_tvm.deploy.codegen.build_kernels import build_kernel
from b2nn_tvm.deploy.estimate.instruction_counts import Executed, execute_counted
from b2nn_tvm.deploy.estimate.llvm_tools import LlvmTools

if TYPE_CHECKING:
    from b2nn_tvm.targets.target import TargetInfo

_BRANCH = re.compile(
    r"(?:b|b\.\w+|bl|blr|br|bx|blx|b(?:eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)|cbn?z|tbn?z|ret)\b"
)


@dataclass(frozen=True)
class StaticCost:
    """The ``instructions`` that one call executes on one thread, and the ``cycles`` that llvm-mca's model of the CPU
    gives for them, None without llvm-mca.
    """

    instructions: int
    cycles: float | None

    @property
    def score(self) -> float:
        """The figure to minimise: cycles, else instructions. Only scores of the same kind can be compared."""
        return self.instructions if self.cycles is None else self.cycles


def static_cost(function: tvm.tirx.PrimFunc, target: TargetInfo, *, tools: LlvmTools | None) -> StaticCost:
    """The cost of one call of a scheduled function on the CPU of ``target``; it has cycles only with ``tools``.

    Raises DeviceError where there is no emulator of the target, ToolchainError where there is no compiler for it.
    """
    return cost_of(execute_function(function, target), target, tools)


def cost_of(executed: Executed, target: TargetInfo, tools: LlvmTools | None) -> StaticCost:
    """The cost of the executed instructions on the CPU of ``target``; it has cycles only with ``tools``."""
    return StaticCost(executed.instructions, cycles_of(executed, target, tools) if tools else None)


def execute_function(function: tvm.tirx.PrimFunc, target: TargetInfo) -> Executed:
    """The instructions that one call of a scheduled function executes under the emulator.

    Raises the errors of ``static_cost``.
    """
    kernel = build_kernel(function, target.tvm_target())
    buffers = argument_bytes(function)
    return execute_counted(kernel.code, kernel.symbol, buffers=buffers, scratch=kernel.workspace_bytes, target=target)


def argument_bytes(function: tvm.tirx.PrimFunc) -> list[int]:
    """The sizes of a function's arguments in bytes."""
    return [prod(map(int, p.ty.shape)) * np.dtype(str(p.ty.dtype)).itemsize for p in function.params]


def cycles_of(executed: Executed, target: TargetInfo, tools: LlvmTools, *, cpu: str = "") -> float:
    """The cycles of all executed basic blocks, each in its steady state, on ``cpu`` (default: the target's own)."""
    blocks = basic_blocks(executed, tools)
    turns = tools.cycles([text for text, _ in blocks], triple=target.triple, cpu=cpu or target.mcpu)
    return sum(cycles * executions for cycles, (_, executions) in zip(turns, blocks, strict=True))


def basic_blocks(executed: Executed, tools: LlvmTools) -> list[tuple[list[str], int]]:
    """The executed instructions as basic blocks, each with its number of executions."""
    text = tools.disassemble(executed.program, executed.runs[0].address, executed.runs[-1].end)
    blocks: list[tuple[list[str], int]] = []
    for run in executed.runs:
        block: list[str] = []
        for address in range(run.address, run.end, 4):
            block.append(text[address])
            if _BRANCH.match(text[address]):
                blocks.append((block, run.executions))
                block = []
        if block:
            blocks.append((block, run.executions))
    return blocks
