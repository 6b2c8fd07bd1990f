"""x86-64 with AVX2 and AVX-VNNI: AVX2, whose 8-bit layers add four products at a time (vpdpbusd)."""

from dataclasses import replace

from b2nn_tvm.ops.vector_layout import CodeLayout
from b2nn_tvm.schedules.micro_kernels.depthwise_x86 import AvxVnniDepthwiseKernel
from b2nn_tvm.schedules.micro_kernels.dot_x86 import AvxVnniDotKernel
from b2nn_tvm.schedules.micro_kernels.winograd.stride1_x86 import AvxVnniWinogradKernel
from b2nn_tvm.schedules.units import avx2
from b2nn_tvm.schedules.units.vector_unit import RegisterTile

UNIT = replace(
    avx2.UNIT,
    name="avxvnni",
    layout=replace(avx2.UNIT.layout, codes=CodeLayout("uint8", 4, taps=4, winograd=20)),
    int8=RegisterTile(accumulators=14, pixels=7, rows=2, latency=10),
    dot=AvxVnniDotKernel,
    depthwise=AvxVnniDepthwiseKernel,
    winograd_codes=AvxVnniWinogradKernel,
    strided_winograd_codes=None,
)
