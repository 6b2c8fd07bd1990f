"""The mark by which a schedule finds the block that a kernel is about, however it was fused.

A block carries ``b2nn.op`` (the operator), ``b2nn.workload`` (its key) and the layout numbers the schedule needs.
"""

from __future__ import annotations

from b2nn_tvm.workload import ConvWorkload

OP, WORKLOAD = "b2nn.op", "b2nn.workload"
OPERATIONS = "b2nn.operations"  # attribute of a function: the operations that were fused into it, in order


def mark(op: str, workload: ConvWorkload | str, **numbers: int) -> dict[str, str | int]:
    """Block attributes for ``te.compute``."""
    key = workload if isinstance(workload, str) else workload.key
    return {OP: op, WORKLOAD: key, **{f"b2nn.{name}": value for name, value in numbers.items()}}
