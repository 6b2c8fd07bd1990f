"""x86-64 with AVX-512 BW and no vector popcount: 32 registers, binary sums by table look-up (vpshufb)."""

from b2nn_tvm.ops.vector_layout import CodeLayout, VectorLayout
from b2nn_tvm.schedules.micro_kernels.dot_x86 import Avx512DotKernel
from b2nn_tvm.schedules.micro_kernels.winograd.stride1_x86 import Avx512WinogradKernel
from b2nn_tvm.schedules.micro_kernels.winograd.stride2_x86 import Avx512StridedWinogradKernel
from b2nn_tvm.schedules.units.vector_unit import RegisterTile, VectorUnit

UNIT = VectorUnit(
    name="avx512",
    layout=VectorLayout(
        float_lanes=16, word="uint8", max_binary_lanes=64, lookup=True, codes=CodeLayout("int16", 2, winograd=15)
    ),
    float=RegisterTile(accumulators=28, pixels=14, rows=2),
    binary=RegisterTile(accumulators=16, pixels=4, rows=2),
    winograd=RegisterTile(accumulators=16, pixels=8, rows=4),
    int8=RegisterTile(accumulators=28, pixels=14, rows=2, blocks=4, latency=20),
    dot=Avx512DotKernel,
    winograd_codes=Avx512WinogradKernel,
    strided_winograd_codes=Avx512StridedWinogradKernel,
)
