"""A network as the functions that the pipeline makes of it."""

from __future__ import annotations

from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.passes.pipeline import to_kernels
from b2nn_tvm.relax_query import calls
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.targets.target import get


def kernels(path, target="x86-vpopcntdq", **options):
    info = get(target)
    return to_kernels(import_onnx(path, **options), vector_unit_named(info.vector).layout, info.tvm_target())


def called(found):
    """The functions that "main" calls, in order, without "fused" and numbers."""
    names = [call.args[0].name_hint for _, call in calls(found.module["main"])]
    return ["_".join(word.rstrip("0123456789") for word in name.removeprefix("fused_").split("_")) for name in names]
