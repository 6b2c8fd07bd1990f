"""Where a compiled network runs: the devices, by their word on the command line, behind one interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from b2nn_tvm.deploy.system import Conditions, DeviceDescription, SystemFacts, conditions, describe
from b2nn_tvm.errors import DeviceError, InputError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.artifact import Artifact
    from b2nn_tvm.targets.target import TargetInfo

TIMEOUT_S = 120.0
BOARDS = 3  # how many of a tracker's boards are tried, where they are lost
WORDS = (
    "local (this machine), ssh://user@host[:port] (a board that needs nothing but a login), rpc://host:port (a board that "
    "runs b2nn-device), tracker://host:port/key (one of several boards), emulator:CPU (runs AArch64 and ARMv7 libraries "
    "for tests, for example emulator:cortex-a72)"
)


@dataclass(frozen=True)
class Sample:
    """One timed inference, in milliseconds: of the whole, or of each step where every kernel was timed apart."""

    threads: int
    run_ms: float | None = None
    step_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class Samples:
    """Wall times in milliseconds: ``run_ms`` [runs] of whole inferences, ``step_ms`` [profiled runs, steps]."""

    run_ms: np.ndarray
    step_ms: np.ndarray
    threads: int

    @staticmethod
    def of(samples: Iterable[Sample]) -> Samples:
        """The samples that came, in two tables."""
        samples = tuple(samples)
        runs = [sample.run_ms for sample in samples if sample.run_ms is not None]
        steps = [sample.step_ms for sample in samples if sample.run_ms is None]
        return Samples(np.array(runs), np.array(steps), samples[-1].threads if samples else 0)


@dataclass(frozen=True)
class Effort:
    """How much to measure: ``runs`` whole inferences and as many with every kernel timed, after ``warmup`` untimed ones.

    Where ``runs`` is None, as many as ``min_seconds`` take. Raises InputError for what is out of range.
    """

    runs: int | None = None
    warmup: int = 3
    min_seconds: float = 0.5

    def __post_init__(self) -> None:
        if self.runs is not None and self.runs < 1:
            raise InputError(f"runs: expected at least 1, but got {self.runs}")
        if self.warmup < 0 or self.min_seconds <= 0:
            raise InputError(
                f"expected warmup of 0 or more and min_seconds above 0, but got {self.warmup} and {self.min_seconds}"
            )


class Device(ABC):
    """A machine that runs compiled networks. Close it, or use it as a context manager: nothing of it stays there.

    Every method raises DeviceError where the device is not there, disappears, or does not answer in time.
    """

    spares = False  # whether another machine of the same kind may take over from one that is lost

    def __init__(self, word: str) -> None:
        self.word = word
        self._known: SystemFacts | None = None

    @abstractmethod
    def facts(self) -> SystemFacts:
        """What the device says about itself now."""

    def known_facts(self) -> SystemFacts:
        """The same, as it said since it was connected: what does not change in between."""
        if self._known is None:
            self._known = self.facts()
        return self._known

    def boards(self) -> int:
        """How many machines like this one may be used at once, each through a device of its own."""
        return 1

    @abstractmethod
    def upload(self, artifact: Artifact) -> None:
        """Bring a compiled network there, once; ``run`` and ``sample`` do it by themselves.

        DeviceError where the device cannot run it.
        """

    def forget(self, artifact: Artifact) -> None:
        """Remove a network that was brought there, to make room; nothing where there is none."""
        return None

    @abstractmethod
    def run(self, artifact: Artifact, inputs: Mapping[str, np.ndarray], *, threads: int = 1) -> dict[str, np.ndarray]:
        """Compute the outputs by name."""

    @abstractmethod
    def _sample(self, artifact: Artifact, *, threads: int, effort: Effort) -> Iterator[Sample]:
        """What ``sample`` gives, on a device whose times are true."""

    def sample(self, artifact: Artifact, *, threads: int, effort: Effort) -> Iterator[Sample]:
        """Time inferences, each as it comes: whole ones first. An emulated device is refused."""
        self._refuse_emulated()
        return self._sample(artifact, threads=threads, effort=effort)

    def check(self, target: TargetInfo) -> None:
        """DeviceError where times of code for ``target`` cannot be had there."""
        self._refuse_emulated()
        check_target(target, self.known_facts(), f"{self.word}: the code is")

    def _refuse_emulated(self) -> None:
        if self.describe().emulated:
            raise DeviceError(
                f"{self.word}: an emulator's time is not a latency; it only checks results. "
                "Measure on the board itself, or with --device local where the target is this machine"
            )

    def describe(self) -> DeviceDescription:
        """The device's name, CPU, clock and system."""
        return describe(self.word, self.known_facts())

    def conditions(self) -> Conditions:
        """Clock, temperature and throttling now."""
        return conditions(self.facts())

    def close(self) -> None:
        """Remove all that was brought there and end the connection, if there is one; a later call makes a new one."""
        self._known = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def open_device(word: str, *, timeout_s: float = TIMEOUT_S) -> Device:
    """The device that ``word`` names, which may go ``timeout_s`` without a sign of life; nothing is connected yet.

    DeviceError lists the choices where there is none, and says how a word of this kind is spelled.
    """
    kind, _, rest = word.partition(":")
    if word == "local":
        from b2nn_tvm.deploy.local import LocalDevice

        return LocalDevice()
    if kind == "emulator" and rest:
        from b2nn_tvm.deploy.emulator import EmulatorDevice

        return EmulatorDevice(rest)
    if rest.startswith("//"):
        if kind == "ssh":
            from b2nn_tvm.deploy.ssh import SshDevice

            return SshDevice(word, timeout_s=timeout_s)
        if kind == "rpc":
            from b2nn_tvm.deploy.rpc import RpcDevice

            return RpcDevice(word, timeout_s=timeout_s)
        if kind == "tracker":
            from b2nn_tvm.deploy.tracker import TrackerDevice

            return TrackerDevice(word, timeout_s=timeout_s)
    raise DeviceError(f"unknown device {word!r}; the devices are {WORDS}")


def check_fit(artifact: Artifact, facts: SystemFacts, word: str) -> None:
    """DeviceError where the machine of ``facts`` cannot run the library, with what it could run."""
    check_target(artifact.target, facts, f"{word}: {artifact.folder} is compiled")
    library = artifact.manifest.library
    needed = tuple(map(int, library.glibc.split("."))) if library.glibc else ()
    if facts.glibc and facts.glibc < needed:
        raise DeviceError(
            f"{word}: {artifact.folder} needs the GNU C library {library.glibc}, but this device has "
            f"{facts['libc'].removeprefix('glibc ')}; build it with the ziglang package (pip install 'b2nn-tvm[cross]'), "
            "which builds for 2.28 and later, or update the board's system"
        )


def check_target(target: TargetInfo, facts: SystemFacts, what: str) -> None:
    """DeviceError, beginning with ``what``, where the machine of ``facts`` cannot run code for ``target``."""
    from b2nn_tvm.targets import target as targets

    board = describe("", facts)
    what = f"{what} for target {target.name} ({target.description}), but this device"
    if board.arch != target.arch:
        known = [name for name in targets.names() if name != targets.NATIVE and targets.get(name).arch == board.arch]
        remedy = f"compile it with --target {' or '.join(known)}" if known else "no target fits it"
        bits = " in 32 bits" if facts.arch != facts["machine"] else ""
        raise DeviceError(f"{what} runs {board.arch}{bits} ({board.label}); {remedy}")
    missing = [flag for flag in target.requires if flag not in facts.features]
    if missing and facts.features and not facts.emulated:  # what an emulated one's /proc tells is of another machine
        raise DeviceError(
            f"{what} ({board.label}) lacks {', '.join(missing)}; compile it for a target that asks for less"
        )
