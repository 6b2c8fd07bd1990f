"""The syntax trees of source files, which several files of tests look at: each file is parsed once for all of them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a source file; nobody changes it."""
    return ast.parse(path.read_text(encoding="utf-8"))
