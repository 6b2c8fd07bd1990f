"""The milliseconds of a study's networks on this machine: choices within them, and all networks measured in turn.

Time depends on a network's structure and precisions, and not on its weights: one library of each structure is measured.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.options import precision_of
from b2nn_tvm.costs.precisions import parse_precisions
from b2nn_tvm.data import DataBundle
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.latency.interleave import digest_of
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.build_side_by_side import build_networks
from b2nn_tvm.loop.measuring.measure_costs import measure_cost
from b2nn_tvm.loop.measuring.measure_network import SAMPLES, SURE, measure_beside_float
from b2nn_tvm.loop.measuring.settle_references import REFERENCE, until_settled
from b2nn_tvm.loop.settings import DeploymentSettings, SearchSettings, SelectionSettings
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.selection.select import select
from b2nn_tvm.progress import Progress
from b2nn_tvm.storage.phase_cache import State, digest
from b2nn_tvm.study.cells import Network
from b2nn_tvm.study.fronts.kinds import KINDS, Kind

ALL = parse_precisions(dict.fromkeys(word for kind in KINDS.values() for word in kind.precisions))
HERE = DeploymentSettings()
LEAST = 1e-9  # a limit is by this share above the time of a choice that keeps it: sums of floats are rounded

# A network as it is compiled: the label of its architecture, and the options of its layers (see costs.options).
Structure = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Time:
    """The undisturbed ``ms`` of one inference with their 95 % interval, for a ``target`` on this ``cpu``."""

    ms: float
    low_ms: float
    high_ms: float
    target: str
    cpu: str
    threads: int


class Times:
    """The measurements for the networks of one data set, kept in ``state``; ``mixtures`` correct the cost model."""

    def __init__(
        self,
        bundle: DataBundle,
        state: State,
        *,
        mixtures: int,
        progress: Progress,
        deployment: DeploymentSettings = HERE,
    ) -> None:
        self._bundle, self._state, self._mixtures = bundle, state, mixtures
        self._deployment, self._progress = deployment, progress
        self._costs: dict[str, AdditiveCost] = {}

    def choose(
        self, network: Network, kind: Kind, scores: Mapping[str, float], ways: Sequence[float], *, of: Sequence[str]
    ) -> dict[float, tuple[str, ...]]:
        """The least harmful choice of the kind's precisions that the cost model expects within each of ``ways``.

        These are percents of the way from the fastest network of one of the kind's precisions to the float network, in
        milliseconds. ``of`` are the precisions but float that the cost model and the ``scores`` know. Choices that were
        made stay as they are, however often networks are measured anew. Raises the errors of the compiler and the
        device.
        """
        inputs = self._inputs | {
            "net": asdict(network.net),
            "scores": dict(scores),
            "ways": list(ways),
            "precisions": list(kind.precisions),
            "of": list(of),
        }

        def compute(_folder: Path) -> dict[str, Any]:
            cost = self._cost(network, of)
            return {"choices": [list(_within(cost, kind, scores, way)) for way in ways]}

        found = self._state.run(f"choices/{network.label}/{digest(inputs)[:16]}", inputs, compute)["choices"]
        return {way: tuple(choice) for way, choice in zip(ways, found, strict=True)}

    def measure(
        self, networks: Sequence[Network], structures: Iterable[Structure], *, anew: bool = False
    ) -> dict[Structure, Time]:
        """The times of all ``structures`` of ``networks``, measured in turn beside the first network, all float.

        What was measured before is taken from disk, unless ``anew``. Raises the errors of the compiler and the device.
        """
        wanted = sorted(set(structures))
        jobs = {network.label: self._job(network, ALL) for network in networks}
        reference = jobs[networks[0].label]
        inputs = self._inputs | {
            "nets": [asdict(network.net) for network in networks],
            "structures": [[label, list(choice)] for label, choice in wanted],
        }
        name = f"measured/{digest(inputs)[:16]}"
        if anew:
            reference.state.forget(REFERENCE)
            shutil.rmtree(reference.state.folder.parent / SAMPLES, ignore_errors=True)
            self._state.forget(name)

        def compute(_folder: Path) -> dict[str, Any]:
            built: dict[Structure, Artifact] = {}
            for label, job in jobs.items():
                if choices := [choice for mine, choice in wanted if mine == label]:
                    built |= {(label, choice): artifact for choice, artifact in build_networks(job, choices).items()}
            return {"times": [asdict(time) for time in self._measured(reference, [built[each] for each in wanted])]}

        found = self._state.run(name, inputs, compute)["times"]
        return {each: Time(**time) for each, time in zip(wanted, found, strict=True)}

    def _measured(self, reference: Job, artifacts: Sequence[Artifact]) -> list[Time]:
        deployment = self._deployment
        with open_device(deployment.device) as device:
            record = until_settled(lambda: measure_beside_float(reference, device, artifacts, least=SURE))
            cpu = device.describe().label
        found = []
        for artifact in artifacts:
            time = record.estimate(digest_of(artifact))
            target = f"{deployment.target} ({artifact.target.vector})"
            found.append(Time(time.ms, time.low_ms, time.high_ms, target, cpu, deployment.threads))
        return found

    def _cost(self, network: Network, precisions: Sequence[str]) -> AdditiveCost:
        """The cost model in milliseconds, fitted to measured networks as in a search."""
        if network.label not in self._costs:
            job = self._job(network, (*precisions, "float"))
            self._costs[network.label] = until_settled(lambda: measure_cost(job)).fitted.cost
        return self._costs[network.label]

    def _job(self, network: Network, precisions: Sequence[str]) -> Job:
        """The network as a search sees it, whose layers may have these precisions."""
        model = network.net.build(self._bundle)
        selection = SelectionSettings(precisions=tuple(precisions), masks=self._mixtures)
        return Job(
            name=network.label,
            model=model,
            layers=trace(model, self._bundle.input_shape),
            data=self._bundle,
            settings=SearchSettings(selection, deployment=self._deployment, conversion=network.net.conversion),
            state=State(self._state.files(f"times/{network.label}/state")),
            progress=self._progress,
        )

    @cached_property
    def _inputs(self) -> dict[str, Any]:
        """What all measurements depend on: this machine, and how they are made."""
        with open_device(self._deployment.device) as device:
            found = device.describe()
        machine = [found.name, found.board, found.cpu, found.system]
        return {
            "machine": machine,
            "deployment": asdict(replace(self._deployment, also=())),
            "mixtures": self._mixtures,
            "input": list(self._bundle.input_shape),
        }


def _within(cost: AdditiveCost, kind: Kind, scores: Mapping[str, float], way: float) -> tuple[str, ...]:
    only = [each for each in cost.names if precision_of(each) in kind.precisions]
    ends = [[each for each in only if precision_of(each) == word] for word in kind.fewer]
    fastest, slowest = min(float(cost.total(end)) for end in ([], *ends)), float(cost.full)
    limit = fastest + (slowest - fastest) * way / 100
    return select(scores, cost, limit * (1 + LEAST), solver="exact", only=only).binary
