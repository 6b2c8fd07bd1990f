"""Read the result of an earlier search from its folder."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from b2nn_tvm.errors import InputError
from b2nn_tvm.faults.check_arguments import PATH, check_arguments
from b2nn_tvm.loop.results.described_result import DescribedResult
from b2nn_tvm.loop.results.report import KIND, VERSION
from b2nn_tvm.plan import Plan
from b2nn_tvm.preprocess import Preprocess
from b2nn_tvm.preprocess.block import read_block
from b2nn_tvm.storage.document import read_document

SCHEMA = {
    "type": "object",
    "required": ["model", "method", "budget", "unit", "limit", "predicted", "achieved", "rows", "scores", "libraries"],
}


def load_result(folder: str | os.PathLike[str]) -> DescribedResult:
    """The result that a search left in ``folder``, with the paths of where the folder is now.

    Raises InputError where there is no report.json or plan.json of this version.
    """
    from cattrs import Converter
    from cattrs.errors import BaseValidationError

    check_arguments({"folder": PATH}, {"folder": folder}, folder="name the output folder of a search")
    place = Path(folder)
    if not (place / "report.json").is_file():
        meant = f"; give {place.parent}" if (place.parent / "report.json").is_file() else ""
        raise InputError(f"{place}: there is no report.json; expected the output folder of a finished search{meant}")
    found = read_document(place / "report.json", KIND, VERSION, SCHEMA)
    found |= {"folder": place, "libraries": {name: place / path for name, path in found["libraries"].items()}}
    plan = Plan.load(place / "plan.json")
    converter = Converter()
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(Preprocess, lambda block, _type: read_block(block))
    converter.register_structure_hook(Plan, lambda _summary, _type: plan)
    try:
        return converter.structure(found, DescribedResult)
    except BaseValidationError as error:
        raise InputError(f"{place / 'report.json'}: this is no result of a search: {error.exceptions[0]}") from error


def _number(value: Any, _type: type[float]) -> float:
    """JSON has no NaN, so that the report has null in its place."""
    return math.nan if value is None else float(value)
