"""The invariants that TVM's own passes require and ensure, by their names, as far as the passes around them rely on
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from b2nn_tvm.passes.framework.invariant import Invariant
from b2nn_tvm.passes.framework.invariants import CONSTANTS_ALIGNED, NCHW, NHWC, NO_ALIASES
from b2nn_tvm.passes.framework.kernel_invariants import GROUPED, KERNELS_ONLY, OPERATORS_LOWERED, PATTERNS_ANNOTATED


@dataclass(frozen=True)
class Contract:
    """The invariants of a module before a pass, and after it."""

    requires: tuple[Invariant, ...] = ()
    ensures: tuple[Invariant, ...] = ()


TVM_PASSES: Mapping[str, Contract] = {
    "CanonicalizeBindings": Contract(ensures=(NO_ALIASES,)),
    # It transposes a constant of the rank of the result only, and loses the layout of ``a`` at ``b = a``.
    "ConvertLayout": Contract(requires=(NCHW, CONSTANTS_ALIGNED, NO_ALIASES), ensures=(NHWC,)),
    "LegalizeOps": Contract(ensures=(OPERATORS_LOWERED,)),
    "AnnotateTIROpPattern": Contract(requires=(OPERATORS_LOWERED,), ensures=(PATTERNS_ANNOTATED,)),
    "FuseOps": Contract(requires=(OPERATORS_LOWERED, PATTERNS_ANNOTATED), ensures=(GROUPED,)),
    "FuseTIR": Contract(requires=(GROUPED,), ensures=(KERNELS_ONLY,)),
}
