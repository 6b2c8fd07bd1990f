"""Float convolutions in NHWC, and the kernels that a module calls."""

from __future__ import annotations

import numpy as np
from tvm.relax import op

from b2nn_tvm.relax_query import calls, op_name
from tests.support.passes.relax_functions import (
    const,
)


def weights(*shape, seed=0):
    """Small integers, so that float32 sums are exact in any order."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


def conv(x, weight, **kwargs):
    return op.nn.conv2d(x, const(weight), data_layout="NHWC", kernel_layout="HWIO", **kwargs)


def kernels(mod):
    """The operators of "main" in order: functions by their names without numbers, others by their own."""
    return [
        call.args[0].name_hint.rstrip("0123456789_") if op_name(call) == "relax.call_tir" else op_name(call)
        for _, call in calls(mod["main"])
    ]
