"""The surveys, and what each of them is.

A survey tries the product on many things that others made, and writes down what came out. It is a module
tests/surveys/<name>.py, named here, with these names; those with a value may be left out:

    TITLE: str                       a heading
    ABOUT: str                       what is tried, how it was chosen, and what is done to it; Markdown
    COLUMNS: tuple[str, ...]         the first one names the thing, "outcome" says what came out, "reason" says why
    OUTCOMES: tuple[str, ...]        the words of the column "outcome", the best one first
    names() -> Sequence[str]         what is tried, in the order of the table
    row(name) -> dict[str, object]   tries one thing: columns to values, without the first; others stay empty
    LIMIT_S = 120                    seconds after which a thing counts as "timed out"
    PER_PROCESS = 100                how many things one process tries, at most
    PYTHON = sys.executable          the interpreter, where the survey has an environment of its own

``names`` and ``row`` run in a child process: a thing that kills it is "crashed", and the survey goes on. So modules
import what is heavy, or is not in .venv, inside of these two functions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

NAMES = (
    *("onnx_files", "onnx_nodes", "random_graphs", "damaged_files", "injected_faults", "timm_models", "checkpoints"),
    *("image_folders", "compile_cost", "int8_layers"),
)

OUTCOME, REASON = "outcome", "reason"
CRASHED, TIMED_OUT = "crashed", "timed out"


@dataclass(frozen=True)
class Survey:
    """One survey, as its module says."""

    name: str
    title: str
    about: str
    columns: tuple[str, ...]
    outcomes: tuple[str, ...]
    names: Callable[[], Sequence[str]]
    row: Callable[[str], dict[str, object]]
    limit_s: float
    per_process: int
    python: str


def find_survey(name: str) -> Survey:
    """The survey ``name``; raises SystemExit for an unknown name."""
    if name not in NAMES:
        raise SystemExit(f"there is no survey {name!r}; the surveys are {', '.join(NAMES)}")
    return survey_of(name, import_module(f"tests.surveys.{name}"))


def survey_of(name: str, module: ModuleType) -> Survey:
    """The survey that ``module`` describes; raises ValueError where the columns lack one that the frame fills."""
    if missing := {OUTCOME, REASON} - set(module.COLUMNS[1:]):
        raise ValueError(f"{module.__name__}.COLUMNS lacks {', '.join(sorted(missing))}")
    return Survey(
        name=name,
        title=module.TITLE,
        about=module.ABOUT,
        columns=tuple(module.COLUMNS),
        outcomes=tuple(module.OUTCOMES),
        names=module.names,
        row=module.row,
        limit_s=getattr(module, "LIMIT_S", 120),
        per_process=getattr(module, "PER_PROCESS", 100),
        python=str(getattr(module, "PYTHON", sys.executable)),
    )
