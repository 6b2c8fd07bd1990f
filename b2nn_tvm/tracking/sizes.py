"""The sizes of a Siamese tracker's crops and responses, and the distance from one cell of a response to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.network.capture import capture_shapes, shape_of


@dataclass(frozen=True)
class Sizes:
    """``exemplar`` and ``search`` are the sides of the crops in pixels, ``response`` is the response's side in cells.

    A target that lies ``stride`` pixels of the search crop further on has its peak in the next cell. A target in the
    middle of the crop has its peak in the middle of the response, cell (response - 1) / 2.
    """

    exemplar: int
    search: int
    response: int
    stride: int

    @classmethod
    def of(cls, trunk: nn.Module, *, exemplar: int = 127, search: int = 255) -> Self:
        """The sizes with this trunk, whose input is [N, 3, H, W]; only shapes are computed.

        The default crops are SiamFC's. Raises InputError where the crops do not fit the trunk's stride.
        """
        small, large = (_side(trunk, side) for side in (exemplar, search))
        cells = large - small
        if cells < 2 or (search - exemplar) % cells:
            raise InputError(
                f"an exemplar of {exemplar} and a search crop of {search} pixels give features of {small} and {large} "
                "cells; the crops must differ by the trunk's stride (16 for siamfc, 8 with stem_stride=1) times two or "
                "more"
            )
        return cls(exemplar, search, cells + 1, (search - exemplar) // cells)


def _side(trunk: nn.Module, pixels: int) -> int:
    *_, output = capture_shapes(trunk, (3, pixels, pixels)).graph.nodes
    shape = shape_of(output)
    if shape is None or len(shape) != 4:
        raise InputError(
            f"the trunk of a tracker gives features [N, C, H, W], but {type(trunk).__name__} gives {shape}"
        )
    return shape[-1]
