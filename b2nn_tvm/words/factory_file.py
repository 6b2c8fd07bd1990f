"""A user's function that a word such as nets.py:make_net names; its file is looked into without running it."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from b2nn_tvm.words.choices import did_you_mean


def is_factory(word: str) -> bool:
    """Whether ``word`` is pkg.module:function, or folder/file.py:function; timm:NAME is neither."""
    module, colon, name = word.rpartition(":")
    dotted = all(part.isidentifier() for part in module.split("."))
    return bool(colon) and name.isidentifier() and module != "timm" and (dotted or module.endswith(".py"))


def complaint(word: str) -> str | None:
    """Why ``folder/file.py`` or ``folder/file.py:function`` names no function; None where it may, and for other words.

    A word without ``.py`` that is a file with it is one, too. What a file imports from elsewhere with a star may be in
    it.
    """
    path, colon, name = word.rpartition(":")
    path = path if colon else word
    if path.endswith(".py:"):
        return f"{word!r} names no function (did you mean {path}{name}?)"
    if not colon and os.path.isfile(f"{path}.py"):
        path = f"{path}.py"
    if not path.endswith(".py"):
        return None
    if not os.path.isfile(path):
        return f"there is no file {path}"
    try:
        found = _names(ast.parse(Path(path).read_bytes()))
    except (SyntaxError, ValueError):
        return None  # importing it says what is wrong
    functions = [each for each, is_function in found.items() if is_function and not each.startswith("_")]
    if not colon:
        proposed = functions[0] if functions else "make_network"
        return f"{path} is a file: name the function in it that is meant, such as {path}:{proposed}"
    if name in found or "*" in found or "__getattr__" in found:
        return None
    return f"{path} has no function {name!r}{did_you_mean(name, functions)}; it has {', '.join(functions) or 'none'}"


def _names(tree: ast.Module) -> dict[str, bool]:
    """The names that a module may have in the end, and whether each of them is defined as a function there.

    Functions come first: classes are less often what makes a network of so many classes.
    """
    functions: dict[str, bool] = {}
    others: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node in tree.body:
            functions[node.name] = True
        elif isinstance(node, ast.ClassDef) and node in tree.body:
            others[node.name] = True
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                others.setdefault((alias.asname or alias.name).partition(".")[0], False)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            others.setdefault(node.name, False)  # in a branch, or in another one
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            others.setdefault(node.id, False)
    return {**functions, **{name: known for name, known in others.items() if name not in functions}}
