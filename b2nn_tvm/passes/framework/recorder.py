"""How a pass enters the log: the calls that its rule rewrites or declines are attributed to layers.

A call that is a convolution or dense layer belongs to itself; any other call belongs to the nearest layers that read it
(signs, padding) or to the nearest layers before it (batch norms).
"""

from __future__ import annotations

import numpy as np
from tvm import relax

from b2nn_tvm.provenance.rewrite_log import RewriteLog
from b2nn_tvm.relax_query import constant, op_name, variables

READERS, BEFORE = "readers", "before"


class Recorder:
    """Enters the decisions of the pass ``rule``; ``did`` is the reason where it states none, ``of`` is READERS or
    BEFORE.
    """

    def __init__(self, log: RewriteLog, rule: str, did: str, *, of: str = READERS):
        self._log = log
        self._rule = rule
        self._did = did
        self._of = of
        self._unread: relax.Function | None = None
        self._bound: dict[relax.Var, relax.Expr] = {}
        self._readers: dict[relax.Var, list[relax.Var]] = {}

    def start(self, function: relax.Function) -> None:
        """Take ``function``, whose calls will be entered; it is read with the first of them, as most passes enter
        none.
        """
        self._unread, self._bound, self._readers = function, {}, {}

    def enter(self, var: relax.Var | None, reason: str = "", layer: relax.Call | None = None, *, applied: bool) -> None:
        """Record a decision about the call that is bound to ``var``, which belongs to ``layer`` where that is known."""
        for weight in (self._weights(var) if layer is None else [layer_weight(layer)]) or [None]:
            layer = "" if weight is None else self._log.next_layer_name(self._rule, weight)
            self._log.record(self._rule, layer, reason or self._did, applied=applied)

    def _weights(self, var: relax.Var | None) -> list[np.ndarray]:
        """The weights [O, ...] of the layers that the call belongs to: the layers at the shortest distance."""
        self._read()
        front, seen = [var] if var is not None else [], set()
        while front:
            weights = [layer_weight(self._bound[here]) for here in front if here in self._bound]
            found = [weight for weight in weights if weight is not None]
            if found:
                return found
            seen.update(front)
            front = [step for here in front for step in self._next(here) if step not in seen]
        return []

    def _read(self) -> None:
        """Learn the bindings and readers of the function, unless they are known."""
        function, self._unread = self._unread, None
        for block in function.body.blocks if function is not None else ():
            for binding in block.bindings:
                self._bound[binding.var] = binding.value
                for read in variables(binding.value):
                    self._readers.setdefault(read, []).append(binding.var)

    def _next(self, var: relax.Var) -> list[relax.Var]:
        if self._of == READERS:
            return self._readers.get(var, [])
        return list(variables(self._bound[var])) if var in self._bound else []


def layer_weight(call: relax.Expr) -> np.ndarray | None:
    """The constant weights [O, ...] of a convolution or dense layer, None for every other call."""
    name = op_name(call)
    weight = constant(call.args[1]) if name in ("relax.nn.conv2d", "relax.matmul") else None
    if weight is None or name == "relax.matmul":
        return None if weight is None or weight.ndim != 2 else weight.T
    layout = str(call.attrs.kernel_layout)
    return weight.transpose([layout.index(axis) for axis in "OIHW"])
