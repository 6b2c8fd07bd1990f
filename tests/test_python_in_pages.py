"""The Python in the pages and of the examples: what it imports exists, and what it calls takes the arguments that it
gives.

Pages whose code is run from top to bottom have tests of their own; here every block of every page is looked at.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "runtime" / "README.md"]
EXAMPLES = ROOT / "examples"
KINDS = {"": "commands, output", "sh": "commands", "python": "here", "toml": "options or a target", "json": "", "c": ""}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
UNKNOWN = object()


def blocks() -> list[tuple[str, str]]:
    """(place, code) of the Python blocks and examples that import something of this project."""
    found = [
        (f"{page.relative_to(ROOT)} block {index}", code)
        for page in sorted(PAGES)
        for index, (language, code) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
        if language == "python"
    ]
    found += [
        (str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in sorted(EXAMPLES.rglob("*.py"))
    ]
    return [(place, code) for place, code in found if re.search(r"^(?:import|from) b2nn_", code, re.MULTILINE)]


def imported(tree: ast.AST) -> Iterator[tuple[str, Any]]:
    """(name, object) of every import; an import that fails is an error."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module = importlib.import_module(alias.name)
                top = importlib.import_module(alias.name.partition(".")[0])
                yield (alias.asname, module) if alias.asname else (alias.name.partition(".")[0], top)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                try:
                    yield alias.asname or alias.name, getattr(module, alias.name)
                except AttributeError:
                    yield alias.asname or alias.name, importlib.import_module(f"{node.module}.{alias.name}")


def resolve(node: ast.AST, names: dict[str, Any]) -> Any:
    """The object that a dotted name stands for, UNKNOWN where it is a value; raises AttributeError."""
    if isinstance(node, ast.Name):
        return names.get(node.id, UNKNOWN)
    if isinstance(node, ast.Attribute):
        owner = resolve(node.value, names)
        known = inspect.ismodule(owner) or inspect.isclass(owner)
        return getattr(owner, node.attr) if known else UNKNOWN
    return UNKNOWN


def complaints(code: str) -> list[str]:
    """What of the code cannot be right."""
    tree, found = ast.parse(code), []
    try:
        names = dict(imported(tree))
    except ImportError as error:
        return [str(error)]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found += [f"{name} is imported, but not used" for name in names if name not in used]
    found += ["torch is imported before b2nn_tvm (docs/training.md)"] * _torch_first(tree)
    assigned = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del)
    }
    names = {name: value for name, value in names.items() if name not in assigned}
    for node in ast.walk(tree):
        try:
            if isinstance(node, ast.Attribute):
                resolve(node, names)
            if isinstance(node, ast.Call) and _is_ours(called := resolve(node.func, names)):
                inspect.signature(called).bind(*node.args, **{str(each.arg): None for each in node.keywords})
        except (AttributeError, TypeError) as error:
            found.append(f"{ast.unparse(node)}: {error}")
    return found


def _torch_first(tree: ast.Module) -> bool:
    """Whether torch is imported before this package, which then cannot say how torch's idle threads wait."""
    imports = [ast.unparse(node).split()[1].partition(".")[0] for node in tree.body if _is_import(node)]
    return {"torch", "b2nn_tvm"} <= set(imports) and imports.index("torch") < imports.index("b2nn_tvm")


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _is_ours(called: Any) -> bool:
    """Whether it is of this project, and not of another one, some of which tell no signatures."""
    return called is not UNKNOWN and str(getattr(called, "__module__", "")).startswith("b2nn_")


def test_every_block_of_python_can_be_right() -> None:
    for package in ("torch", "PIL"):
        pytest.importorskip(package, reason=f"the pages import it; pip install {package}")
    found = blocks()
    assert len(found) > 10 and "examples/track.py" in dict(found)
    assert {place: wrong for place, code in found if (wrong := complaints(code))} == {}


def test_the_names_of_this_project_in_the_text_exist() -> None:
    texts = {str(page.relative_to(ROOT)): BLOCK.sub("", page.read_text(encoding="utf-8")) for page in PAGES}
    named = {(place, name) for place, text in texts.items() for name in re.findall(r"`(b2nn_\w+(?:\.\w+)+)", text)}
    assert len(named) > 10
    assert [each for each in sorted(named) if not exists(each[1])] == []
    started = re.compile(r"python3? -m (b2nn_[\w.]+)")
    texts.pop("CHANGELOG.md")  # which says what is gone, too
    programs = {(place, name) for place, text in texts.items() for name in started.findall(text)}
    assert len(programs) >= 3
    assert [each for each in sorted(programs) if not exists(f"{each[1]}.__main__")] == []
    assert not exists("b2nn_tvm.cli.output.bars") and not exists("b2nn_tvm.serch")


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or what is in one; code that stands for a user's has no module here."""
    head, *rest = name.split(".")
    found = importlib.import_module(head)
    for part in rest:
        head = f"{head}.{part}"
        try:
            found = getattr(found, part) if hasattr(found, part) else importlib.import_module(head)
        except ImportError:
            return False
    return True


def test_blocks_are_of_a_kind_that_a_test_knows() -> None:
    kinds = {language for page in PAGES for language, _ in BLOCK.findall(page.read_text(encoding="utf-8"))}
    assert kinds <= set(KINDS)


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("from b2nn_tvm import nowhere", "nowhere"),
        ("import b2nn_tvm\nb2nn_tvm.search_for(1)", "search_for"),
        ("import b2nn_tvm\nb2nn_tvm.load('net', treads=4)", "treads"),
        ("from b2nn_tvm.preprocess import Preprocess\nPreprocess.covering((3, 4, 4), mean=1)", "std"),
        ("from b2nn_tvm.preprocess import Preprocess\nPreprocess.uncovering((3, 4, 4))", "uncovering"),
        ("from b2nn_tvm import load, measure\nload('net')", "measure is imported, but not used"),
        ("import torch\nimport b2nn_tvm\nb2nn_tvm.load(torch)", "torch is imported before"),
    ],
)
def test_what_cannot_be_right_is_found(code: str, wrong: str) -> None:
    assert any(wrong in text for text in complaints(code))


def test_what_is_right_is_not_complained_of() -> None:
    assert complaints("import b2nn_tvm\nnet = b2nn_tvm.load('net')\nnet.run(1)\nb2nn_tvm = 3") == []


def test_the_file_of_options_in_the_commands_page_is_taken(tmp_path: Path) -> None:
    """Each table of it is of a command, and that command takes its options."""
    import tomllib

    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    (text,) = [code for language, code in BLOCK.findall(page) if language == "toml"]
    (tmp_path / "options.toml").write_text(text, encoding="utf-8")
    tables = {name: value for name, value in tomllib.loads(text).items() if isinstance(value, dict)}
    given = {"search": ["digits", "-o", "out"], "profile": ["net"], "compile": ["net.onnx"]}
    assert len(tables) == 2
    for name, options in tables.items():
        main = importlib.import_module(f"b2nn_tvm.cli.{name}").main
        context = main.make_context(name, ["--config", str(tmp_path / "options.toml"), *given[name]])
        for option, value in options.items():
            taken = context.params[{"budget": "budgets"}.get(option, option.replace("-", "_"))]  # click's own name
            assert (list(taken) if isinstance(value, list) else taken) == value
