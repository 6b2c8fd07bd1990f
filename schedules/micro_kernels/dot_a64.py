"""The 8-bit micro-kernel in A64 with the dot products of Armv8.2 (``sdot``): the order of the float one, in which a
word is four signed codes of a pixel, and a vector of weights holds four of each of four filters.
"""

from __future__ import annotations

from b2nn_tvm.schedules.micro_kernels.multiply_a64 import A64MultiplyKernel


class A64DotKernel(A64MultiplyKernel):
    """Integer sums of a tile in 64-bit ARM's assembly."""

    name = "dot"
    result = "int32"

    def term(self, total: str, weights: str, pixel: str, k: int) -> str:
        return f"sdot {total}.4s, {weights}.16b, {pixel}.4b[{k}]"
