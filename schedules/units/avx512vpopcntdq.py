"""x86-64 with AVX-512 VPOPCNTDQ: 32 registers of 16 lanes, one popcount instruction per vector of words."""

from b2nn_tvm.ops.vector_layout import CodeLayout, VectorLayout
from b2nn_tvm.schedules.micro_kernels.depthwise_x86 import VnniDepthwiseKernel
from b2nn_tvm.schedules.micro_kernels.dot_x86 import VnniDotKernel
from b2nn_tvm.schedules.micro_kernels.winograd.stride1_x86 import VnniWinogradKernel
from b2nn_tvm.schedules.units.vector_unit import RegisterTile, VectorUnit

UNIT = VectorUnit(
    name="avx512vpopcntdq",
    layout=VectorLayout(
        float_lanes=16, word="uint32", max_binary_lanes=16, codes=CodeLayout("uint8", 4, taps=4, winograd=45)
    ),
    float=RegisterTile(accumulators=28, pixels=14, rows=2),
    binary=RegisterTile(accumulators=28, pixels=7, rows=7),
    winograd=RegisterTile(accumulators=16, pixels=8, rows=4),
    int8=RegisterTile(accumulators=28, pixels=14, rows=2, blocks=4, latency=20),
    dot=VnniDotKernel,
    depthwise=VnniDepthwiseKernel,
    winograd_codes=VnniWinogradKernel,
)
