"""Tuning for a CPU that is not here: the score of a trial is its static cost, an estimate in place of a measurement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import tvm

from b2nn_tvm.deploy.codegen.build_kernels import KernelObject, build_kernel
from b2nn_tvm.deploy.devices.qemu import find_emulator
from b2nn_tvm.deploy.estimate.instruction_counts import execute_counted
from b2nn_tvm.deploy.estimate.llvm_tools import VERSION, LlvmTools, find_llvm_tools, model
from b2nn_tvm.deploy.estimate.static_cost import argument_bytes, cost_of
from b2nn_tvm.errors import ToolchainError
from b2nn_tvm.targets.target import TargetInfo

WORD = "static"  # the word of this bench for --device


class StaticBench:
    """A bench that scores trials for ``target`` in llvm-mca's cycles, or in executed instructions without llvm-mca.

    ``cpu`` is the CPU for which it estimates, ``unit`` the unit of the scores. Raises DeviceError where there is no
    emulator of the target.
    """

    def __init__(self, target: TargetInfo) -> None:
        find_emulator(target.arch)
        self._target = target
        self.cpu = target.mcpu
        self._tools: LlvmTools | None = None
        try:
            self._tools = find_llvm_tools()
        except ToolchainError:
            self.unit = "instructions executed (emulated), not measured"
        else:
            self.unit = (
                f"cycles (static estimate: llvm-mca {VERSION}, {model(target.mcpu, target.triple)} model), not measured"
            )

    def build(self, module: tvm.IRModule, target: tvm.target.Target) -> tuple[KernelObject, list[int]]:
        """The object file of the module's one function, and the sizes of its arguments."""
        ((_, function),) = module.functions_items()
        return build_kernel(function, target), argument_bytes(function)

    def time(
        self, trials: Sequence[tuple[tuple[KernelObject, list[int]], Sequence[Any]]]
    ) -> Iterator[tuple[int, float]]:
        """The (index, score) of each trial; the score is an estimate, no time."""
        for index, ((kernel, sizes), _) in enumerate(trials):
            executed = execute_counted(
                kernel.code, kernel.symbol, buffers=sizes, scratch=kernel.workspace_bytes, target=self._target
            )
            yield index, cost_of(executed, self._target, self._tools).score
