"""Where a result comes from: data, training, command, versions, and how long it took."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from b2nn_tvm.loop.job import Job
from b2nn_tvm.targets import target as targets
from b2nn_tvm.version import __version__

PACKAGES = ("torch", "apache-tvm", "onnx", "onnxruntime", "numpy")


@dataclass(frozen=True)
class Origin:
    """How a result was made.

    ``images`` are counts by split and ``input_shape`` is (C, H, W). ``command`` is what was typed, empty for a call
    from Python. ``seconds`` is the duration of the run that wrote the result, which took ``reused`` phases from
    earlier ones. ``recipe``, ``batch_size`` and ``lr`` are those of the trainings; "" and None are not known, and None
    is also the recipe's own rate.
    """

    data: str
    images: Mapping[str, int]
    classes: int
    input_shape: tuple[int, ...]
    epochs: int
    float_epochs: int
    seed: int
    target: str
    command: str
    versions: Mapping[str, str]
    seconds: float
    finished: str
    reused: int
    recipe: str = ""
    batch_size: int | None = None
    lr: float | None = None


def origin_of(job: Job, *, started: float, command: str) -> Origin:
    """The origin of a result of ``job``, whose run began when ``time.monotonic()`` was ``started``."""
    training, seconds = job.settings.training, time.monotonic() - started
    stamps = [job.state.files(name) / "phase.json" for name in set(job.state.reused)]
    earlier = [stamp for stamp in stamps if stamp.is_file() and stamp.stat().st_mtime < time.time() - seconds]
    return Origin(
        data=job.data.name,
        images={split: len(getattr(job.data, split)) for split in ("train", "val", "test")},
        classes=job.data.classes,
        input_shape=tuple(job.data.input_shape),
        epochs=training.epochs,
        float_epochs=training.float_epochs or 0,
        seed=training.seed,
        target=_target_words(job.settings.deployment.target),
        command=command,
        versions={"b2nn-tvm": __version__, "Python": platform.python_version(), **_versions()},
        seconds=seconds,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        reused=len(earlier),
        recipe=training.recipe,
        batch_size=training.batch_size,
        lr=training.lr,
    )


def _target_words(word: str) -> str:
    """The word for the target; "native", which says nothing elsewhere, with the CPU that it stands for here."""
    return f"{word} ({targets.get(word).mcpu})" if word == targets.NATIVE else word


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # onnxruntime is optional
            continue
    return found
