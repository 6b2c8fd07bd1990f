"""x86-64 with AVX2 and FMA: 16 registers of 8 lanes, popcount in bytes by nibble look-up (vpshufb)."""

from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.schedules.vector_unit import RegisterTile, VectorUnit

UNIT = VectorUnit(
    name="avx2",
    layout=VectorLayout(float_lanes=8, word="uint8", max_binary_lanes=32),
    float=RegisterTile(accumulators=12, pixels=6, rows=2),
    binary=RegisterTile(accumulators=6, pixels=1, rows=7),
    winograd=RegisterTile(accumulators=12, pixels=6, rows=4),
)
