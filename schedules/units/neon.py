"""AArch64 NEON: 32 registers of 4 lanes, popcount in bytes (cnt)."""

from b2nn_tvm.ops.vector_layout import CodeLayout, VectorLayout
from b2nn_tvm.schedules.micro_kernels.depthwise_a64 import A64DepthwiseEachKernel, A64DepthwiseKernel
from b2nn_tvm.schedules.micro_kernels.multiply_a64 import A64MultiplyKernel
from b2nn_tvm.schedules.micro_kernels.popcount_a64 import A64PopcountKernel
from b2nn_tvm.schedules.micro_kernels.widen_a64 import A64WidenEachKernel, A64WidenKernel
from b2nn_tvm.schedules.units.vector_unit import RegisterTile, VectorUnit

UNIT = VectorUnit(
    name="neon",
    layout=VectorLayout(
        float_lanes=4, word="uint8", max_binary_lanes=64, binary_register=16, codes=CodeLayout("int8", 4, depthwise=8)
    ),
    float=RegisterTile(accumulators=28, pixels=8, rows=1, blocks=2, latency=12),
    binary=RegisterTile(accumulators=16, pixels=8, rows=2, blocks=1),  # two groups of the micro-kernel's four pixels
    winograd=RegisterTile(accumulators=28, pixels=8, rows=1, blocks=2, latency=12),
    popcount=A64PopcountKernel,
    multiply=A64MultiplyKernel,
    int8=RegisterTile(accumulators=28, pixels=8, rows=1, blocks=2, latency=12),
    dot=A64WidenKernel,
    dot_full_range=A64WidenEachKernel,
    widen=A64DepthwiseKernel,
    widen_each=A64DepthwiseEachKernel,
    loop_sums=24,
    near_weights=1 << 14,
)
