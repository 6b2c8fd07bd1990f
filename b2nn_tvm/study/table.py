"""results.csv: a row per network that was trained for the study; the page and the figures are made from it alone."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from b2nn_tvm.errors import InputError
from b2nn_tvm.storage.document import write_atomic


@dataclass(frozen=True)
class Row:
    """One network of one seed.

    ``part`` is "methods", "activations", "recipes", "fronts" or "reference" (all float, all binary); ``method`` is an
    activation's name where activations are compared. ``budget`` is in percent of the float FLOPs, or a level of
    binarization; of fronts it is in percent of the full width, or of the way from the fastest to the float network.
    ``layers`` names the binary layers, or options of layers (see costs.options), with spaces between; ``flops`` of
    ``float_flops`` are left, and ``share`` is their ratio; ``topped_up`` is 1 where the choice was changed to spend
    what the budget left. Accuracies are shares in [0, 1], before and after fine-tuning; ``seconds`` is the time of the
    fine-tuning. Rows with the same ``training`` share one fine-tuning. ``draw`` counts the choices of a random method
    for one seed; ``hypothesis`` is the number of the one whose grid the row belongs to. Trainings computed in
    ``training_precision``. ``ms`` are the measured milliseconds of one undisturbed inference of a library for
    ``target`` on ``cpu`` with ``threads`` threads, with their 95 % interval from ``low_ms`` to ``high_ms``; they are
    None where the network was not measured.
    """

    part: str
    method: str
    budget: str
    seed: int
    layers: str
    share: float
    flops: int
    float_flops: int
    topped_up: int
    validation_before: float
    test_before: float
    validation: float
    test: float
    epochs: int
    seconds: float
    training: str
    model: str
    width: int
    activation: str
    data: str
    images: int
    tested: int
    float_epochs: int
    recipe: str = "quick"
    draw: int = 0
    hypothesis: str = ""
    training_precision: str = "auto"
    ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    target: str = ""
    cpu: str = ""
    threads: int | None = None

    @property
    def binary(self) -> tuple[str, ...]:
        """The binary layers, in network order."""
        return tuple(self.layers.split())


def seed_means(rows: Iterable[Row]) -> dict[int, float]:
    """The test accuracy in percent of each seed, the mean over its draws."""
    accuracies: dict[int, list[float]] = {}
    for row in rows:
        accuracies.setdefault(row.seed, []).append(100 * row.test)
    return {seed: statistics.fmean(values) for seed, values in accuracies.items()}


COLUMNS = tuple(field.name for field in fields(Row))
_TYPES: dict[str, Callable[[str], str | float | None]] = {
    "str": str,
    "int": int,
    "float": float,
    "float | None": lambda text: float(text) if text else None,
    "int | None": lambda text: int(text) if text else None,
}
_OPTIONAL = frozenset(field.name for field in fields(Row) if field.default is not MISSING)  # came with later versions


def write(path: Path, rows: Iterable[Row]) -> Path:
    """Write the rows as CSV."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in rows:
        values = [getattr(row, name) for name in COLUMNS]
        table.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in values])
    return write_atomic(path, text.getvalue().encode())


def replace_rows(path: Path, hypothesis: str, rows: Sequence[Row], *, fewer: bool = True) -> Path:
    """Write the rows of one hypothesis into the CSV, in the order of hypotheses; the rows of others stay.

    Where they are ``fewer`` than there are now, and that is not wanted, nothing is written: a run that goes on from an
    earlier one does not know all of its rows at once.
    """
    before = read(path) if path.exists() else ()
    kept = [row for row in before if row.hypothesis != hypothesis]
    if not fewer and len(rows) < len(before) - len(kept):
        return path
    return write(path, sorted((*kept, *rows), key=lambda row: row.hypothesis))


def read(path: Path) -> tuple[Row, ...]:
    """The rows of a CSV; raises InputError where it is not the table of a study."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
        types = {field.name: _TYPES[str(field.type)] for field in fields(Row)}
        return tuple(_row(row, types) for row in found)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: expected the results.csv of a study, with columns {', '.join(COLUMNS)}; {error!r}"
        ) from None


def _row(cells: Mapping[str, str], types: Mapping[str, Callable[[str], Any]]) -> Row:
    """The row of a table, which may lack columns that came with a later version."""
    return Row(**{name: kind(cells[name]) for name, kind in types.items() if name in cells or name not in _OPTIONAL})
