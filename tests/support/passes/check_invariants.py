"""A pass instrument that asks, around every pass of the pipeline, whether what it requires and ensures holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import tvm
from tvm.ir.transform import Pass

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.tvm_passes import TVM_PASSES, Contract


def contract_of(one: Pass) -> Contract:
    """What a pass of this project, or of TVM, requires and ensures."""
    own = getattr(one, "_inst", None)
    return Contract(own.requires, own.ensures) if own is not None else TVM_PASSES.get(one.info.name, Contract())


def is_ours(one: Pass) -> bool:
    """Whether a pass belongs to this project."""
    return isinstance(getattr(one, "_inst", None), CompilerPass)


@tvm.ir.instrument.pass_instrument
class CheckInvariants:
    """``broken`` holds a line for each violation; ``seen`` the passes in the order in which they ran."""

    def __init__(self, passes: Iterable[Pass]):
        self.broken: list[str] = []
        self.seen: list[str] = []
        self._contracts: Mapping[str, Contract] = {one.info.name: contract_of(one) for one in passes}
        self._depth = 0

    def run_before_pass(self, module: tvm.IRModule, info: tvm.transform.PassInfo) -> None:
        self._depth += 1
        if self._depth == 2:  # inside the pipeline, and in no other pass
            self.seen.append(info.name)
            self._check("requires", module, info.name)

    def run_after_pass(self, module: tvm.IRModule, info: tvm.transform.PassInfo) -> None:
        if self._depth == 2:
            self._check("ensures", module, info.name)
        self._depth -= 1

    def _check(self, which: str, module: tvm.IRModule, name: str) -> None:
        for invariant in getattr(self._contracts[name], which):
            if where := invariant.violation(module):
                self.broken.append(f"{name} {which} {invariant.name}: {where}")
