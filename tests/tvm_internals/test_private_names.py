"""Nobody but tvm_internals touches what TVM does not promise."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.parsed import parsed

ROOT = Path(__file__).parents[2]
FOLDERS = ("b2nn_tvm", "schedules", "targets", "deploy")
INTERNALS = ROOT / "b2nn_tvm" / "tvm_internals"
# The training half has private names of torch's; the import law keeps tvm out of it.
WITHOUT_TVM = [ROOT / "b2nn_tvm" / name for name in ("data", "export", "mixbin", "models", "study", "tracking")]
SOURCES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if not any(map(path.is_relative_to, (INTERNALS, *WITHOUT_TVM)))
)
# What has no underscore, and is promised to nobody either.
UNPROMISED = {"PIPELINE_MAP", "TEMPDIRS", "PopenRPCServerState"}
ALLOWED = {"os._exit", "self._opened._handle"}  # Python's, and ctypes'
CHANGES = {"update", "pop", "setdefault", "clear"}


def trespasses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of each private name of another's, each change of a module of tvm, and each change of
    sys.modules.
    """
    imported = set(names_from_tvm(tree))
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if is_tvm(module):
                found = any(private(part) for part in (*module.split("."), *(name.name for name in names)))
            case ast.Import(names=names):
                found = any(is_tvm(name.name) and any(map(private, name.name.split("."))) for name in names)
            case ast.Attribute(value=value, attr=attr, ctx=context):
                own = isinstance(value, ast.Name) and value.id in ("self", "cls")
                changed = not isinstance(context, ast.Load) and root(node) in imported
                found = changed or (private(attr) and not own and ast.unparse(node) not in ALLOWED)
            case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
                found = ast.unparse(value) == "sys.modules" or root(value) in imported
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in CHANGES:
                found = ast.unparse(value) == "sys.modules"
            case _:
                found = False
        if found:
            yield node.lineno, ast.unparse(node)


def names_from_tvm(tree: ast.AST) -> Iterator[str]:
    """The names that are bound to modules and other things of tvm."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and is_tvm(node.module or ""):
            yield from (name.asname or name.name for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.asname or name.name.partition(".")[0] for name in node.names if is_tvm(name.name))


def is_tvm(module: str) -> bool:
    return module.partition(".")[0] in ("tvm", "tvm_ffi")


def private(name: str) -> bool:
    return name in UNPROMISED or (name.startswith("_") and not name.startswith("__"))


def root(node: ast.AST) -> str:
    """The name that a chain of attributes and subscripts begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def test_no_file_leans_on_the_internals_of_tvm():
    assert len(SOURCES) > 300
    found = {str(path.relative_to(ROOT)): list(trespasses(parsed(path))) for path in SOURCES}
    assert not any(found.values()), (
        f"{ {path: lines for path, lines in found.items() if lines} }: leans on what a next TVM may change; give it a"
        " file in b2nn_tvm/tvm_internals, with a test that says what breaks"
    )


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("from tvm.relax.frontend.onnx import onnx_frontend\nonnx_frontend._get_convert_map()", 1),
        ("from tvm.tirx import _ffi_api", 1),
        ("from tvm._ffi import anything", 1),
        ("import tvm._ffi", 1),
        ("import tvm\ntvm.tirx.build = mine", 1),
        ("from tvm.tirx import pipelines\npipelines.TABLE['name'] = mine", 1),
        ("import tvm.tirx.compilation_pipeline as c\nc.PIPELINE_MAP['name'] = mine", 2),
        ("from tvm.support.utils import TempDirectory\nTempDirectory.TEMPDIRS", 1),
        ("from tvm.rpc.server import PopenRPCServerState", 1),
        ("builder._end_block()", 1),
        ("self._tracker._sock.shutdown(2)", 1),
        ("sys.modules['tvm.x'] = empty", 1),
        ("sys.modules.update(empty)", 1),
        ("del sys.modules['tvm.x']", 1),
        ("self._own + cls._own + x.__class__ + os._exit", 0),
        ("from tvm import relax\nrelax.op.add(sys.modules['x'])", 0),
        ("from b2nn_tvm.ops.sign_words import _at_least", 0),
    ],
)
def test_the_search_for_them_finds_them(source, count):
    assert len(list(trespasses(ast.parse(source)))) == count
