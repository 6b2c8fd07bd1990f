"""x86-64 with AVX2 and FMA: 16 registers of 8 lanes, binary sums by table look-up (vpshufb)."""

from b2nn_tvm.ops.vector_layout import CodeLayout, VectorLayout
from b2nn_tvm.schedules.micro_kernels.depthwise_x86 import Avx2DepthwiseKernel
from b2nn_tvm.schedules.micro_kernels.dot_x86 import Avx2DotKernel
from b2nn_tvm.schedules.micro_kernels.winograd.stride1_x86 import Avx2WinogradKernel
from b2nn_tvm.schedules.micro_kernels.winograd.stride2_x86 import Avx2StridedWinogradKernel
from b2nn_tvm.schedules.units.vector_unit import RegisterTile, VectorUnit

UNIT = VectorUnit(
    name="avx2",
    layout=VectorLayout(
        float_lanes=8, word="uint8", max_binary_lanes=32, lookup=True, codes=CodeLayout("int16", 2, taps=2, winograd=15)
    ),
    float=RegisterTile(accumulators=12, pixels=6, rows=2),
    binary=RegisterTile(accumulators=8, pixels=2, rows=2),
    winograd=RegisterTile(accumulators=12, pixels=6, rows=4),
    # Only the addition waits for the one before. Beside 14 sums no weights have registers, and are read from memory.
    int8=RegisterTile(accumulators=14, pixels=7, rows=2, latency=4),
    dot=Avx2DotKernel,
    depthwise=Avx2DepthwiseKernel,
    winograd_codes=Avx2WinogradKernel,
    strided_winograd_codes=Avx2StridedWinogradKernel,
)
