"""What estimates are made of in tests, and how their figures are compared."""

from __future__ import annotations

import tvm
from tvm import te

from b2nn_tvm.workload import ConvWorkload

STRIDED = ConvWorkload(1, 64, 14, 14, 64, (3, 3), (2, 2), (1, 1, 1, 1))


def per_thousand(figure: float, workload: ConvWorkload) -> float:
    return 1000 * figure / workload.macs


def loop(extent: int, target: str) -> tvm.tirx.PrimFunc:
    x = te.placeholder((extent,), name="x")
    return te.create_prim_func([x, te.compute((extent,), lambda i: x[i] + tvm.tirx.const(1, "float32"))])
