"""AArch64 NEON: 32 registers of 4 lanes, popcount in bytes (cnt)."""

from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.schedules.vector_unit import RegisterTile, VectorUnit

UNIT = VectorUnit(
    name="neon",
    layout=VectorLayout(float_lanes=4, word="uint8", max_binary_lanes=16),
    float=RegisterTile(accumulators=24, pixels=8, rows=2),
    # Eight sums in uint8 and in uint16 are 24 of the 32 registers. A broadcast (ld1r) takes a vector slot, a load does not:
    # more filters per pixel cost less than more pixels per filter (llvm-mca, Cortex-A72: 1.84 and 1.98 cycles per 128 MACs).
    binary=RegisterTile(accumulators=8, pixels=4, rows=7, blocks=4),
    winograd=RegisterTile(accumulators=16, pixels=8, rows=4),
)
