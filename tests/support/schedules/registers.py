"""What LLVM takes for granted of a micro-kernel: it uses the registers that it declares, and keeps its arguments."""

from __future__ import annotations

import re

from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel

VECTOR = {"x": r"\b[vqs](\d+)\b", "r": r"\bq(\d+)\b"}  # by the first letter of general registers
DOUBLE = r"\bd(\d+)\b"
LIMITS = {"x": 32, "r": 16}


def check_registers(kernel: MicroKernel) -> None:
    text, letter = kernel.assembly(), kernel.arguments[0][0]
    assert max(map(int, re.findall(VECTOR[letter], text))) < LIMITS[letter]
    assert max(map(int, re.findall(DOUBLE, text)), default=0) < 32
    assert set(re.findall(r"\b(?:x\d+|r\d+|lr)\b", text)) <= {*kernel.arguments, *kernel.clobbers}
    written = set(re.findall(r"^(?:add|sub|mov\w?|movk|subs) (\w+),", text, re.MULTILINE))
    assert not written & set(kernel.arguments)
    assert not re.search(r"\[(?:x|r)[0-3]\](?:!|,)", text)
