"""The type of a property of modules between two passes; invariants.py and kernel_invariants.py hold the properties."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import tvm
from tvm import relax

from b2nn_tvm.relax_query import Definition, calls, definitions


@dataclass(frozen=True)
class Invariant:
    """A property of modules: ``sentence`` states it, ``violation`` says where a module breaks it, "" if nowhere."""

    name: str
    sentence: str
    violation: Callable[[tvm.IRModule], str]


def of_every_call(complaint: Callable[[relax.Call, Definition], str]) -> Callable[[tvm.IRModule], str]:
    """The violation of a property of all bound calls: ``complaint`` says what is wrong with a call, "" if nothing
    is.
    """

    def violation(module: tvm.IRModule) -> str:
        for function in relax_functions(module):
            definition = definitions(function)
            for var, call in calls(function):
                if why := complaint(call, definition):
                    return f"{var.name}: {why}"
        return ""

    return violation


def relax_functions(module: tvm.IRModule) -> Iterator[relax.Function]:
    """The Relax functions of a module."""
    return (function for function in module.functions.values() if isinstance(function, relax.Function))
