"""Import MetaSchedule without its slow start.

What TVM does: ``import tvm.s_tir.meta_schedule`` imports ``tvm.s_tir.tensor_intrin``, which parses the tensor
intrinsics of every GPU and of some CPUs: that takes 20 seconds and more.

Why we need it: tuning starts with this import, and none of the intrinsics is used here; so empty modules stand in for
them in ``sys.modules`` while it is imported.

When it breaks: an AttributeError or ImportError names the part that MetaSchedule now takes from one of these modules;
leave that module out of the list. Were the import fast, this would be a plain import.
"""

from __future__ import annotations

import sys
import types
from functools import cache
from importlib import import_module

_UNUSED_INTRINSICS = ("cuda", "rocm", "hexagon", "metal", "riscv_cpu", "arm_cpu", "x86")


@cache
def metaschedule() -> types.ModuleType:
    """The module ``tvm.s_tir.meta_schedule``."""
    package = "tvm.s_tir.tensor_intrin."
    added = [package + name for name in _UNUSED_INTRINSICS if package + name not in sys.modules]
    sys.modules.update({name: types.ModuleType(name) for name in added})
    try:
        import_module("tvm.s_tir.tensor_intrin")
        return import_module("tvm.s_tir.meta_schedule")
    finally:
        for name in added:
            sys.modules.pop(name, None)
