"""Attention over tensors of any rank, in operators that torch translates to ONNX: its own translation takes rank 4."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

TRANSLATED_RANK = 4  # batch, heads, places, channels


class PlainAttention(TorchFunctionMode):
    """While it is active, calls of ``scaled_dot_product_attention`` on tensors of another rank than 4 are products and
    a softmax, as torch's documentation defines them.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        keywords = kwargs or {}
        if func is functional.scaled_dot_product_attention and args[0].dim() != TRANSLATED_RANK:
            return _attention(*args, **keywords)
        return func(*args, **keywords)


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """``query`` [..., L, E], ``key`` [..., S, E], ``value`` [..., S, F] to [..., L, F]; in inference nothing drops."""
    if enable_gqa:
        raise NotImplementedError("attention whose heads share keys, over tensors of another rank than 4")
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return scores.softmax(-1) @ value
