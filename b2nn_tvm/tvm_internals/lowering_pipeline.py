"""Build with lowering passes of our own in place of TVM's, and with TVM's code generator behind them.

What TVM does: ``tirx.build`` takes the name of a pipeline, and asks ``compilation_pipeline.PIPELINE_MAP`` for its three
stages: the lowering of the module, the passes that finalize the host's part, and the passes that finalize the device's
part. Its signature allows a pass in place of the name, but an assertion refuses it.

Why we need it: TVM's lowering wraps each function for its own runtime, and a library needs plain C functions.

When it breaks: see what ``tirx/build.py`` makes of ``pipeline``, and how many stages "s_tir" has.
"""

from __future__ import annotations

import itertools

import tvm
from tvm import tirx
from tvm.tirx import compilation_pipeline

_NUMBERS = itertools.count()


def build_lowered_by(lower: tvm.transform.Pass, module: tvm.IRModule, target: tvm.target.Target) -> tvm.runtime.Module:
    """The code of ``module``, lowered by ``lower`` and finalized by TVM's own passes."""
    _, finalize_host, finalize_device = compilation_pipeline.get_tir_pipeline("s_tir")
    name = f"b2nn_{next(_NUMBERS)}"  # a name for this build alone, because others may run at the same time
    compilation_pipeline.PIPELINE_MAP[name] = lambda: (lower, finalize_host, finalize_device)
    try:
        return tirx.build(module, target=target, pipeline=name)
    finally:
        del compilation_pipeline.PIPELINE_MAP[name]
