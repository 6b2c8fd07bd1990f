"""The form of binary layers, as one value that goes wherever networks are converted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules import activations, binarizers
from b2nn_tvm.plan import Plan


@dataclass(frozen=True)
class ConversionOptions:
    """The options of ``convert``: the activation in front of binary layers, their borders, thresholds and weights.

    Raises InputError, with the choices, for an option that ``convert`` does not know.
    """

    binarizer: str = "xnor"
    activation: str = "binrelu"
    pad_value: int = 0
    learned_threshold: bool = False

    def __post_init__(self) -> None:
        binarizers.check(self.binarizer)
        activations.check(self.activation)
        if self.pad_value not in (0, 1, -1):
            raise InputError(f"binary layers are padded with 0, 1 or -1, not with {self.pad_value!r}")

    def convert(
        self, model: nn.Module, choice: Plan | Iterable[str], *, input_shape: Sequence[int] | None = None
    ) -> nn.Module:
        """A copy of ``model`` in which the chosen layers are binary; see ``convert``."""
        return convert(model, choice, **asdict(self), input_shape=input_shape)

    def __str__(self) -> str:
        thresholds = "learned thresholds" if self.learned_threshold else "no thresholds"
        return f"{self.binarizer} weights, {self.activation} in front, borders of {self.pad_value}, {thresholds}"


DEFAULT = ConversionOptions()
