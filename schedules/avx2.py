"""x86-64 with AVX2 and FMA: 16 registers of 8 lanes, popcount in bytes by nibble look-up (vpshufb)."""

from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.schedules.vector_unit import VectorUnit

UNIT = VectorUnit(
    name="avx2",
    layout=VectorLayout(float_lanes=8, word="uint8", max_binary_lanes=32),
    float_accumulators=12,
    binary_accumulators=6,
    float_pixels=6,
    binary_pixels=1,
)
