"""AArch64 NEON with the dot products of Armv8.2: NEON, whose 8-bit layers add four products at a time (sdot)."""

from dataclasses import replace

from b2nn_tvm.schedules.micro_kernels.dot_a64 import A64DotKernel
from b2nn_tvm.schedules.units import neon

UNIT = replace(
    neon.UNIT,
    name="neon_dotprod",
    dot=A64DotKernel,
    dot_full_range=None,
)
