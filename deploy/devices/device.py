"""The interface of all devices, the machines on which a compiled network runs."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from b2nn_tvm.deploy.devices.bursts import Burst, BurstSettings, RoundEnd
from b2nn_tvm.deploy.devices.compatibility import check_fit, check_target
from b2nn_tvm.deploy.devices.sample_rows import bursts
from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Sample
from b2nn_tvm.deploy.devices.system_facts import Conditions, DeviceDescription, SystemFacts, conditions, describe
from b2nn_tvm.deploy.library.library_files import LEVEL_VARIABLE
from b2nn_tvm.errors import DeviceError, InputError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact
    from b2nn_tvm.targets.target import TargetInfo

MAX_THREADS = 256  # B2NN_MAX_THREADS in runtime/program.h
BOARDS = 3  # how many of a tracker's boards are tried before a lost board is an error


class Device(ABC):
    """A machine that runs compiled networks. Close it, or use it as a context manager: then no file stays there.

    Every method raises DeviceError where the device is not there, disappears, or does not answer in time.
    """

    has_replacements = False  # whether another machine of the same kind may take over from a lost one

    def __init__(self, word: str) -> None:
        self.address = word
        self._known: SystemFacts | None = None

    @abstractmethod
    def facts(self) -> SystemFacts:
        """The facts that the device tells about itself now."""

    def known_facts(self) -> SystemFacts:
        """The facts as the device told them first since it was connected, for facts that do not change meanwhile."""
        if self._known is None:
            self._known = self.facts()
        return self._known

    def parallel_devices(self) -> int:
        """The number of machines like this one that may be used at once, each through a device of its own."""
        return 1

    def as_run_here(self, artifact: Artifact) -> Artifact:
        """The network as this device runs it: of a library with several levels, the one that the environment variable
        B2NN_LEVEL names, else the best one that the device's CPU has.

        What is measured is asked for by name, so that layers and times are of the same level. Raises InputError where
        there is no such level.
        """
        if not artifact.manifest.levels:
            return artifact
        asked = os.environ.get(LEVEL_VARIABLE)
        return artifact.at_level(asked or artifact.manifest.best_isa(self.known_facts().features))

    @abstractmethod
    def upload(self, artifact: Artifact) -> None:
        """Bring a compiled network to the device, once; ``run`` and ``sample`` do this by themselves.

        Raises DeviceError where the device cannot run the network.
        """

    def forget(self, artifact: Artifact) -> None:
        """Remove a network that was brought to the device, to make room; nothing happens where it is not there."""
        return

    @abstractmethod
    def run(self, artifact: Artifact, inputs: Mapping[str, np.ndarray], *, threads: int = 1) -> dict[str, np.ndarray]:
        """The outputs of the network by name, for ``inputs`` by name."""

    @abstractmethod
    def _sample(self, artifact: Artifact, *, threads: int, effort: MeasurementSettings) -> Iterator[Sample]:
        """The samples of ``sample``, from a device that is not emulated."""

    def sample(self, artifact: Artifact, *, threads: int, effort: MeasurementSettings) -> Iterator[Sample]:
        """Time inferences and yield each sample as it comes: whole inferences first, then every kernel apart.

        Raises DeviceError for an emulated device.
        """
        self._refuse_emulated()
        return self._sample(artifact, threads=threads, effort=effort)

    @abstractmethod
    def _burst_lines(
        self, artifacts: Sequence[Artifact], *, reference: Artifact, threads: int, settings: BurstSettings
    ) -> Generator[str]:
        """The lines of ``b2nn-run --interleave`` on a device that is not emulated, as they come."""

    def interleave(
        self, artifacts: Sequence[Artifact], *, reference: Artifact, threads: int, settings: BurstSettings
    ) -> Generator[Burst | RoundEnd]:
        """Time several networks in turns, in short bursts, each between two bursts of ``reference``.

        The rows come as they are made (see bursts.py). One program on the device loads all networks, so that neither
        the connection nor Python is in the times; it ends where the caller closes the iterator. Raises DeviceError for
        an emulated device and where a network does not fit the device, InputError for threads out of range.
        """
        if not 0 <= threads <= MAX_THREADS:
            raise InputError(f"threads: expected a number from 0 to {MAX_THREADS}, but got {threads}")
        self._refuse_emulated()
        for artifact in (reference, *artifacts):
            check_fit(artifact, self.known_facts(), self.address)
        return bursts(
            self._burst_lines(artifacts, reference=reference, threads=threads, settings=settings),
            word=self.address,
            reference=reference.manifest.library.model_id,
            networks=[artifact.manifest.library.model_id for artifact in artifacts],
        )

    def check(self, target: TargetInfo) -> None:
        """Raise DeviceError where the device cannot time code for ``target``."""
        self._refuse_emulated()
        check_target(target, self.known_facts(), f"{self.address}: the code is")

    def _refuse_emulated(self) -> None:
        if self.describe().emulated:
            raise DeviceError(
                f"{self.address}: an emulator's time is not a latency; it only checks results. "
                "Measure on the board itself, or with --device local where the target is this machine"
            )

    def describe(self) -> DeviceDescription:
        """The device's name, CPU, clock and system."""
        return describe(self.address, self.known_facts())

    def conditions(self) -> Conditions:
        """The clock, the temperature and the throttling of the device now."""
        return conditions(self.facts())

    def close(self) -> None:
        """Remove all networks from the device and end the connection, if there is one; a later call makes a new one."""
        self._known = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
