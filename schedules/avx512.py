"""x86-64 with AVX-512 BW and no vector popcount: 32 registers, popcount in bytes by nibble look-up (vpshufb)."""

from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.schedules.vector_unit import VectorUnit

UNIT = VectorUnit(
    name="avx512",
    layout=VectorLayout(float_lanes=16, word="uint8", max_binary_lanes=64),
    float_accumulators=28,
    binary_accumulators=14,
    float_pixels=14,
    binary_pixels=2,
)
