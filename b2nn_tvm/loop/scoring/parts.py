"""Score layers in parts, side by side on the workers of a pool; each part goes on where a lost worker stopped.

layers   a b c d e f g h                   subject.pickle   the network, the images, the settings
parts    a d g | b e h | c f               parts/binary-1/sensitivity.json   what is known of a part
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from b2nn_tvm.costs.options import PLAIN
from b2nn_tvm.data.bundle import Batches
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.workers.worker_pool import Pool
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringOptions
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.plan import Precision
from b2nn_tvm.progress import CombinedProgress, Progress
from b2nn_tvm.storage.document import write_atomic

PARTS = "parts"


@dataclass(frozen=True)
class Subject:
    """What the parts of a scoring have in common. It travels in a file, as it may be too large for a message."""

    method: str
    model: nn.Module
    batches: Batches
    options: ScoringOptions

    def score(self, layers: Sequence[str], precision: str, path: Path, progress: Progress) -> dict[str, float]:
        """The scores of ``layers`` for becoming ``precision``, which are kept in ``path`` as they come."""
        options: ScoringOptions = {**self.options, "precision": Precision(precision), "path": path}
        found = methods.score(self.method, self.model, self.batches, layers=layers, progress=progress, **options)
        return dict(found.scores)


@dataclass(frozen=True)
class Part:
    """Some ``layers`` to be scored for becoming ``precision``; a Task of a pool.

    ``subject`` is the file of the Subject, ``imports`` the folders that its modules are imported from, ``path`` the
    file in which the scores are kept as they come, and ``folder`` the part's own folder.
    """

    subject: Path
    imports: tuple[str, ...]
    layers: tuple[str, ...]
    precision: str
    path: Path
    folder: Path

    def run(self, progress: Progress) -> dict[str, float]:
        """The score of every layer; raises InputError where this machine cannot import what the network is made of."""
        sys.path += [each for each in self.imports if each not in sys.path]
        try:
            subject: Subject = pickle.loads(self.subject.read_bytes())
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"{socket.gethostname()} cannot load the network: {error}; install what it is made of there, or put the"
                " files on storage that all machines share"
            ) from None
        return subject.score(self.layers, self.precision, self.path, progress)


def scores_file(precision: str) -> str:
    """The name of the file that keeps scores for becoming ``precision``."""
    return "sensitivity.json" if precision == PLAIN else f"sensitivity-{precision}.json"


def known_scores(folder: Path, method: str, precision: str) -> dict[str, float]:
    """The scores in all files below ``folder``, by layer; none of a ``method`` that scores layers together."""
    if method not in methods.IN_PARTS:
        return {}
    files = sorted(folder.rglob(scores_file(precision)))
    return {name: score for file in files for name, score in Sensitivity.load(file).scores.items()}


def score_in_parts(
    pool: Pool,
    subject: Subject,
    layers: Mapping[str, Sequence[str]],
    folder: Path,
    *,
    phase: str,
    progress: Progress,
) -> dict[str, dict[str, float]]:
    """The scores by precision and layer of ``layers``, the names by precision; computed by ``pool``, kept in
    ``folder``.

    What is known in the folder is used again. Layers are dealt out in turn, as those at the beginning of the network
    take longest; where the method scores layers together, all of a precision are one part. Raises InputError where
    the network cannot be sent to another process, and the errors of the method.
    """
    found = {word: known_scores(folder, subject.method, word) for word in layers}
    file = folder / "subject.pickle"
    parts: dict[str, Part] = {}
    for word, names in layers.items():
        missing = [name for name in names if name not in found[word]]
        for number, some in enumerate(_dealt(missing, _shares(pool.size, len(layers), subject.method)), 1):
            own = folder / PARTS / f"{word}-{number}"
            # A method that scores layers together goes on here from what it had, wherever it was computed.
            path = (own if subject.method in methods.IN_PARTS else folder) / scores_file(word)
            parts[f"{word} {number}"] = Part(file, _imports(), some, word, path, own)
    if parts:
        write_atomic(file, _pickled(subject))
    told = CombinedProgress(progress, phase, {name: float(len(part.layers)) for name, part in parts.items()})
    try:
        for name, scores in pool.map(parts, lambda name: pool.run(name, parts[name], told)).items():
            found[parts[name].precision] |= scores
    finally:
        file.unlink(missing_ok=True)
    return {word: {name: found[word][name] for name in names} for word, names in layers.items()}


def _shares(workers: int, precisions: int, method: str) -> int:
    """How many parts the layers of one of the precisions are dealt into."""
    return -(-workers // precisions) if method in methods.IN_PARTS else 1


def _dealt(names: Sequence[str], shares: int) -> Iterable[tuple[str, ...]]:
    return (tuple(names[start::shares]) for start in range(min(shares, len(names))))


def _imports() -> tuple[str, ...]:
    return tuple(os.path.abspath(entry) for entry in sys.path)


def _pickled(subject: Subject) -> bytes:
    import cloudpickle

    try:
        packed: bytes = cloudpickle.dumps(subject)
    except Exception as error:
        raise InputError(
            f"the network cannot be sent to a worker ({type(error).__name__}: {error}); leave out the scheduler"
        ) from error
    return packed
