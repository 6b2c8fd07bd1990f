"""The log of all passes: the layers that each pass changed, and the layers that it left, each with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest

AT_THRESHOLD = "at its threshold in the file, and +1 here"  # of a sign that is 0 or not a number there


@dataclass(frozen=True)
class Rewrite:
    """One decision: the pass ``rule`` changed ``layer`` (``applied``) or left it as it was, for this ``reason``.

    ``layer`` is empty where no layer is concerned.
    """

    layer: str
    rule: str
    applied: bool
    reason: str


class RewriteLog:
    """Collects the decisions of all passes, each once, in the order in which they were made.

    ``digest`` computes ``weight_digest``, or knows it already.
    """

    def __init__(self, layers: Iterable[NamedLayer] = (), *, digest: Callable[[np.ndarray], str] = weight_digest):
        self._digest = digest
        self._names: dict[str, list[str]] = {}
        for layer in layers:
            self.add(layer)
        self._next: dict[tuple[str, str], int] = {}
        self._entries: dict[Rewrite, None] = {}

    def add(self, layer: NamedLayer) -> None:
        """Know one more layer: a part of another one that is computed by itself."""
        self._names.setdefault(layer.digest, []).append(layer.name)

    def record(self, rule: str, layer: str, reason: str, *, applied: bool) -> None:
        """Note a decision about the layer of this name."""
        self._entries[Rewrite(layer, rule, applied, reason)] = None

    def next_layer_name(self, rule: str, weight: np.ndarray | None) -> str:
        """The name of the layer with these weights [O, ...]; of equal layers, the next that ``rule`` has not asked for
        yet.

        Empty where no layer has these weights, because they are computed or made by an importer.
        """
        digest = "" if weight is None else self._digest(weight)
        names = self._names.get(digest, [""])
        turn = self._next.get((rule, digest), 0)
        self._next[rule, digest] = turn + 1
        return names[min(turn, len(names) - 1)]

    def in_order(self, layers: Sequence[str]) -> tuple[Rewrite, ...]:
        """The decisions by layer, in the order of ``layers``; decisions about no layer, or about another layer, come
        last.
        """
        place = {layer: index for index, layer in enumerate(layers)}
        return tuple(sorted(self._entries, key=lambda entry: place.get(entry.layer, len(place))))
