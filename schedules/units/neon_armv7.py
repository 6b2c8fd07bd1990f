"""ARMv7 NEON: 16 registers of 4 lanes, popcount in bytes (vcnt)."""

from b2nn_tvm.ops.vector_layout import CodeLayout, VectorLayout
from b2nn_tvm.schedules.micro_kernels.multiply_a32 import A32MultiplyKernel
from b2nn_tvm.schedules.micro_kernels.popcount_a32 import A32PopcountKernel
from b2nn_tvm.schedules.micro_kernels.widen_a32 import A32WidenEachKernel, A32WidenKernel
from b2nn_tvm.schedules.units.vector_unit import RegisterTile, VectorUnit

UNIT = VectorUnit(
    name="neon_armv7",
    layout=VectorLayout(
        float_lanes=4, word="uint8", max_binary_lanes=64, binary_register=16, codes=CodeLayout("int8", 4)
    ),
    float=RegisterTile(accumulators=16, pixels=4, rows=1, blocks=2, latency=8),
    binary=RegisterTile(accumulators=16, pixels=8, rows=2, blocks=1),  # four groups of the micro-kernel's two pixels
    winograd=RegisterTile(accumulators=16, pixels=4, rows=1, blocks=2, latency=8),
    popcount=A32PopcountKernel,
    multiply=A32MultiplyKernel,
    int8=RegisterTile(accumulators=16, pixels=4, rows=1, blocks=2, latency=8),
    dot=A32WidenKernel,
    dot_full_range=A32WidenEachKernel,
    loop_sums=12,
    near_weights=1 << 14,
)
