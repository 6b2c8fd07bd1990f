"""What all phases of one search share: the model, its layers, the data, the settings, the place on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.options import DEFAULT, ConversionOptions
from b2nn_tvm.mixbin.progressive.settings import Progression, named
from b2nn_tvm.mixbin.selection.select import RULES, SOLVERS
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.storage.phase_cache import State

if TYPE_CHECKING:
    import torch

    from b2nn_tvm.data import DataBundle
    from b2nn_tvm.mixbin.network.layers import LayerTable

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Settings:
    """How to search; see ``search`` for the meaning and the units of each. Raises InputError for what is out of
    range.
    """

    method: str
    rule: str
    solver: str
    target: str
    device: str
    threads: int
    epochs: int
    float_epochs: int
    seed: int
    masks: int
    margin: float
    conversion: ConversionOptions = DEFAULT
    progressive: str | None = None
    epochs_per_layer: int | None = None
    floor: float | None = None

    def __post_init__(self) -> None:
        for what, word, choices in (
            ("method", self.method, methods.names()),
            ("rule", self.rule, RULES),
            ("solver", self.solver, SOLVERS),
        ):
            if word not in choices:
                raise InputError(f"unknown {what} {word!r}; choose one of {', '.join(choices)}")
        for what, value, least in (
            ("threads", self.threads, 1),
            ("epochs", self.epochs, 0),
            ("float_epochs", self.float_epochs, 0),
            ("seed", self.seed, 0),
            ("masks", self.masks, 0),
        ):
            if value < least:
                raise InputError(f"{what}: expected at least {least}, but got {value}")
        if not 0 <= self.margin < 1:
            raise InputError(f"margin: expected a share of the budget from 0 to below 1, but got {self.margin}")
        if self.progressive is not None:
            self.progression()
            if (self.rule, self.solver) != ("strict", "sort"):
                raise InputError(
                    "a progressive order goes on until the budget is kept: it has no other rule and no solver"
                )
        elif self.epochs_per_layer is not None or self.floor is not None:
            raise InputError("epochs per layer and an accuracy floor are those of a progressive order: choose one")

    def progression(self, scores: Mapping[str, float] = MappingProxyType({})) -> Progression:
        """How layers become binary one after the other; ``scores`` are those of the method."""
        return named(self.progressive, scores=scores, epochs=self.epochs_per_layer, floor=self.floor)

    @property
    def needs_scores(self) -> bool:
        """Whether the method's scores decide anything."""
        return self.progressive in (None, "scores")

    @property
    def selection(self) -> str:
        """How layers are chosen, in words."""
        return ", ".join(
            [f"progressive {self.progressive}"] * bool(self.progressive) + [self.method] * self.needs_scores
        )


@dataclass(frozen=True)
class Job:
    """One search. ``model`` is the float network, trained once the first phase is over; ``progress(phase, done,
    total)``.
    """

    name: str
    model: torch.nn.Module
    layers: LayerTable
    data: DataBundle
    settings: Settings
    state: State
    progress: Progress

    @property
    def eligible(self) -> tuple[str, ...]:
        """Names of the layers that may be binarized, in network order."""
        return tuple(self.layers.eligible)

    @property
    def workloads(self) -> dict[str, str]:
        """Workload keys of the eligible layers."""
        return {layer.name: layer.workload.key for layer in self.layers if layer.eligible}

    def tell(self, phase: str, detail: str) -> None:
        """Say how a phase goes, in words, where ``progress`` has a method ``detail`` for them."""
        detailed = getattr(self.progress, "detail", None)
        if detailed:
            detailed(phase, detail)

    def structure(self) -> dict[str, Any]:
        """What a network's speed depends on, for a phase's inputs: never its weights."""
        shapes = {name: list(tensor.shape) for name, tensor in self.model.state_dict().items()}
        text = (
            repr(self.model)
            + repr(sorted(shapes.items()))
            + repr([(layer.name, layer.workload) for layer in self.layers])
        )
        return {"structure": hashlib.sha256(text.encode()).hexdigest(), "input": list(self.data.input_shape)}

    def place(self) -> dict[str, Any]:
        """Where times are measured, for a phase's inputs."""
        from b2nn_tvm.targets import target

        chosen = asdict(self.settings)
        return {
            "target": asdict(target.get(self.settings.target)),
            **{key: chosen[key] for key in ("device", "threads")},
        }
