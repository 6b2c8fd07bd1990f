"""Give layers their names back after rewriting, which keeps weights but loses names.

A layer is recognised by a digest of its weights. Weights of one magnitude per output channel are digested by their
signs alone, so that the digest is the same before and after the magnitude was split off.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.provenance.memory_order import contiguous

# The relative spread of magnitudes that still counts as one: (s - w) + w is off by the rounding of w, 6e-8 of it, and
# the mean magnitude s of a filter may be a thousandth of its largest weight w. The errors cancel in the sums.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class NamedLayer:
    """A layer of the ONNX file: ``kind`` is "conv2d" or "dense"; ``digest`` is empty where its weights are no
    constant. ``marked`` says that the file itself names the layer one of binary weights and float input.
    """

    name: str
    kind: str
    digest: str
    marked: bool = False


class LayerNamer:
    """Hands out the names of layers by their weights; equal weights get their names in graph order.

    ``digest`` computes ``weight_digest``, or knows it already.
    """

    def __init__(self, layers: Iterable[NamedLayer], *, digest: Callable[[np.ndarray], str] | None = None):
        self._digest = weight_digest if digest is None else digest
        self._names: dict[str, deque[str]] = {}
        self.kinds: dict[str, str] = {}  # of the layers, by name
        for layer in layers:
            self.add(layer)
        self._unnamed = 0

    def add(self, layer: NamedLayer) -> None:
        """Know one more layer: a part of another one that is computed by itself."""
        self._names.setdefault(layer.digest, deque()).append(layer.name)
        self.kinds[layer.name] = layer.kind

    def name(self, weight: np.ndarray | None, *, prefer: Callable[[str], bool] = lambda name: True) -> str:
        """The name of the layer with these weights, [O, I, kh, kw] or [O, I]; None stands for computed weights.

        Of layers with equal weights the first name that ``prefer`` accepts is taken, else the first name.
        """
        names = self._names.get("" if weight is None else self._digest(weight))
        if names:
            chosen = next(filter(prefer, names), names[0])
            names.remove(chosen)
            return chosen
        self._unnamed += 1
        return f"unnamed{self._unnamed}"


def weight_digest(weight: np.ndarray) -> str:
    """SHA-1 over shape and values of float32 weights [O, ...]; over their signs where weights are sign times
    magnitude[o].

    A filter and its negative have the same digest, as folding a batch norm into a threshold may flip a filter; a dense
    layer has the digest of the 1x1 convolution that it is lowered to.
    """
    shape = weight.shape[:2] if weight.shape[2:] == (1, 1) else weight.shape
    if _magnitudes(weight) is None:
        digest, values = hashlib.sha1(b"values"), contiguous(weight.astype(np.float32, copy=False)).data
    else:
        positive = (weight >= 0).reshape(weight.shape[0], -1)
        digest, values = hashlib.sha1(b"signs"), np.packbits(positive == positive[:, :1]).data  # hashing takes time
    digest.update(repr(shape).encode())
    digest.update(values)
    return digest.hexdigest()


def split_sign_and_scale(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Write weights [O, ...] as signs (-1, +1; float32) times a magnitude >= 0 per channel [O]; None if they have
    another form.

    The sign of a channel whose weights are all 0 is +1.
    """
    magnitudes = _magnitudes(weight)
    if magnitudes is None:
        return None
    low, scale = magnitudes
    if (low != scale).any():
        mean = np.abs(weight.reshape(weight.shape[0], -1).astype(np.float64)).mean(axis=1)
        scale = np.where(low == scale, scale, mean)
    return np.where(weight >= 0, np.float32(1), np.float32(-1)), scale.astype(np.float32)


def has_magnitudes(weight: np.ndarray) -> bool:
    """Whether weights [O, ...] are signs times a magnitude per channel, which ``split_sign_and_scale`` splits."""
    return _magnitudes(weight) is not None


def _magnitudes(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The least and the greatest magnitude in each channel of weights [O, ...], float64; None where they differ."""
    for part in (weight[:1], weight):  # the first channel of most layers tells that the whole has another form
        rows = part.reshape(part.shape[0], -1)
        rows = np.abs(rows if rows.dtype == np.float32 else rows.astype(np.float64))
        low, high = rows.min(axis=1).astype(np.float64), rows.max(axis=1).astype(np.float64)
        if not np.isfinite(high).all() or (high - low > _TOLERANCE * high).any():
            return None
    return low, high


def is_sign_times_scale(weight: np.ndarray) -> bool:
    """Whether weights [O, ...] are finite, several per channel, and of exactly one magnitude in each channel."""
    rows = np.abs(weight.reshape(weight.shape[0], -1))
    return rows.shape[1] > 1 and bool(np.isfinite(rows).all() and (rows == rows[:, :1]).all())
