"""The emitted instructions, carried out one by one, multiply by the matrices of Winograd's transforms."""

from __future__ import annotations

import re

import numpy as np
import pytest

from b2nn_tvm.ops.winograd_conv2d import INPUT, OUTPUT
from b2nn_tvm.schedules.micro_kernels.winograd.transforms import INPUT_TRANSFORMS, OUTPUT_TRANSFORMS

REGISTERS = [f"%ymm{number}" for number in range(14)]


def carried_out(transform, numbers, letter):
    """What a transform makes of a number in each register; all of its instructions are of the elements ``letter``."""
    lines: list[str] = []
    results = transform(lambda *emitted: lines.extend(emitted), REGISTERS)
    values = dict(zip(REGISTERS, numbers))
    for line in lines:
        name, first, second, to = re.match(r"(\w+) (\S+), (\S+), (\S+)", line).groups()
        assert name.endswith(letter)
        operation = name.removesuffix(letter)
        if operation == "vpsll":
            values[to] = values[second] << int(first.removeprefix("$$"))
        else:
            values[to] = values[second] + {"vpadd": 1, "vpsub": -1}[operation] * values[first]
    return [values[register] for register in results]


@pytest.mark.parametrize("m", [2, 4])
def test_of_the_codes(m):
    for unit in np.eye(m + 2, dtype=int):
        assert carried_out(INPUT_TRANSFORMS[m], unit.tolist(), "w") == (np.array(INPUT[m]) @ unit).tolist()


@pytest.mark.parametrize("m", [2, 4])
def test_of_the_products(m):
    """The last element of filters of m = 4 is a quarter of what it should be, and is made up for here."""
    matrix = np.array(OUTPUT[m]) * ([1, 1, 1, 1, 1, 4] if m == 4 else 1)
    for unit in np.eye(m + 2, dtype=int):
        assert carried_out(OUTPUT_TRANSFORMS[m], unit.tolist(), "d") == (matrix @ unit).tolist()
