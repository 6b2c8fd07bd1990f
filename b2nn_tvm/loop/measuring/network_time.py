"""The time of one measured network: what it needs undisturbed, and what was observed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from b2nn_tvm.costs.fit import MeasuredNetwork
from b2nn_tvm.costs.table import CostRow


@dataclass(frozen=True)
class NetworkTime:
    """One measured network: the milliseconds ``ms`` of an undisturbed inference, and ``low_ms`` to ``high_ms``, their
    95 % interval.

    ``median_ms``, ``p90_ms`` and ``p99_ms`` are those of the observed ``runs``, whose ``spread`` is (p90 - p10) /
    median. ``quiet`` of the ``bursts`` in which they ran were undisturbed.
    """

    binary: tuple[str, ...]
    ms: float
    spread: float
    runs: int
    size_bytes: int
    device: str
    isa: str
    layers: tuple[CostRow, ...]
    low_ms: float = math.nan
    high_ms: float = math.nan
    median_ms: float = math.nan
    p90_ms: float = math.nan
    p99_ms: float = math.nan
    bursts: int = 0
    quiet: int = 0
    fingerprint: str = ""

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> NetworkTime:
        """The time that a phase keeps as ``dataclasses.asdict`` gives it."""
        rows = tuple(CostRow(**row) for row in found["layers"])
        return cls(**{**found, "binary": tuple(found["binary"]), "layers": rows})

    def at(self, quantile: float | None) -> float:
        """The undisturbed milliseconds, or the observed ones at a quantile of 0.5, 0.9 or 0.99."""
        return self.ms if quantile is None else {0.5: self.median_ms, 0.9: self.p90_ms, 0.99: self.p99_ms}[quantile]

    def network(self, quantile: float | None = None) -> MeasuredNetwork:
        """The network as a cost model is fitted to it."""
        return MeasuredNetwork(self.binary, self.at(quantile))

    def upper_ms(self, quantile: float | None = None) -> float:
        """The upper end of the undisturbed time's interval, where there is one, or the observed time at a quantile.

        The float network is what relative limits are shares of, so that its own time counts.
        """
        return self.at(quantile) if quantile or math.isnan(self.high_ms) or not self.binary else self.high_ms

    def keeps(self, limit_ms: float, quantile: float | None = None) -> bool:
        """Whether the network keeps a limit, with the whole interval of its time."""
        return self.upper_ms(quantile) <= limit_ms
