"""The assembly that LLVM makes of a convolution with its default tile, for any target: that needs no such CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import tvm
from tvm import tirx

from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.assembly import Loop, innermost_loop

# The four stages of ResNet-18, by their channels.
STAGES = {
    channels: ConvWorkload(1, channels, size, size, channels, (3, 3), padding=(1, 1, 1, 1))
    for channels, size in ((64, 56), (128, 28), (256, 14), (512, 7))
}
# A multiply-add of a whole register of floats.
FMA = {
    "x86": r"vfmadd\d+ps .*%ymm",
    "x86-avx512": r"vfmadd\d+ps .*%zmm",
    "x86-vpopcntdq": r"vfmadd\d+ps .*%zmm",
    "arm": r"fmla v\d+\.4s",
}
# The targets of AArch64, and the CPUs that the code for all of them is looked at on.
AARCH64 = ("arm", "rpi3", "rpi4", "rpi5")
AARCH64_CPUS = ("cortex-a53", "cortex-a72", "cortex-a76")


@cache
def assembly(isa: str, make: Callable, workload: ConvWorkload) -> str:
    """The text for the target ``isa`` of what ``make`` (functions.py) makes of the workload."""
    vector_unit = vector_unit_named(get(isa).vector)
    function, _ = schedule_function(
        make(workload, vector_unit.layout), vector_unit=vector_unit, records=Records(vector_unit.name)
    )
    return emit(isa, function)


def emit(isa: str, function: tirx.PrimFunc) -> str:
    """The text of a scheduled function."""
    module = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
    return tvm.tirx.build(module, target=get(isa).tvm_target()).inspect_source("asm")


@cache
def inner_loop(isa: str, workload: ConvWorkload, make: Callable, pattern: str) -> Loop:
    """The innermost loop with the most instructions that match ``pattern``."""
    return innermost_loop(assembly(isa, make, workload), pattern)
