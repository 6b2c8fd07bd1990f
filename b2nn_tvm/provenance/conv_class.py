"""The class of a convolution of the network: binary, weight-binary or float, and the reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ConvClass:
    """A convolution by name; ``reason`` says why it, or its input, stays float, and is empty if the convolution is
    binary, or of a few bits.

    ``weight_binary``: its input is no sign or its groups are narrow, and its weights are -1 and +1. ``int8``: its input
    and its weights are whole numbers of 8 bits. ``bits`` is the word of its precision where both are fewer bits, "w1a2"
    for example.
    """

    name: str
    binary: bool
    reason: str
    weight_binary: bool = False
    int8: bool = False
    bits: str = ""

    @property
    def verdict(self) -> str:
        """The class and the reason in words."""
        if self.binary:
            return "is binary"
        if self.int8:
            return f"is not binary: {self.reason}"
        if self.bits:
            return f"is {self.bits}"
        return f"{'is weight-binary' if self.weight_binary else 'stays float'}: {self.reason}"
