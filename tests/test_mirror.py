"""The tests mirror the tree: every source file that has behaviour has a test file of its name at the same place.

    b2nn_tvm/mixbin/network/capture.py   tests/mixbin/network/test_capture.py
    b2nn_tvm/models/__init__.py          tests/models/test_models.py

What several test files need stands in tests/support, or is a fixture: nothing is imported from a test file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.parsed import parsed
from tests.support.paths import ROOT

TESTS = ROOT / "tests"
# Statements that import from the tests. Parsing all files as a whole would take seconds.
IMPORTS = re.compile(r"^[ \t]*((?:from|import)[ \t]+tests\b[^\n(]*(?:\([^)]*\))?)", re.MULTILINE)
PACKAGE = "b2nn_tvm"
# Parts of the package that stand beside its folder, and b2nn-runtime, a package of its own.
BESIDE = ("deploy", "schedules", "targets", "runtime")

# What needs no test of its own, and why.
WITHOUT_BEHAVIOUR = {
    "b2nn_tvm/errors.py": "the names of the errors",
    "b2nn_tvm/export/__init__.py": "one name of export_onnx.py",
    "b2nn_tvm/mixbin/selectors/selector.py": "the interface of the selectors, a protocol",
    "b2nn_tvm/reference/__init__.py": "the names of binary.py",
    "b2nn_tvm/ops/pooling.py": "what a pooling is, a dataclass",
    "b2nn_tvm/passes/framework/compile_context.py": "what passes are made from, a dataclass",
    "b2nn_tvm/passes/framework/compiler_pass.py": "what passes have in common; each pass is a test of it",
    "b2nn_tvm/passes/framework/op_pattern.py": "four numbers of TVM's",
    "b2nn_tvm/passes/framework/tvm_passes.py": "what TVM's passes require and ensure; test_pipeline_invariants.py asks",
    "b2nn_tvm/version.py": "one number",
    "deploy/codegen/program.py": "what a program is, dataclasses",
    "runtime/b2nn_runtime/errors.py": "the name of the error",
    "schedules/units/avx2.py": "one constant, which units/test_vector_unit.py checks",
    "schedules/units/avx512.py": "one constant, which units/test_vector_unit.py checks",
    "schedules/units/avx512vpopcntdq.py": "one constant, which units/test_vector_unit.py checks",
    "schedules/units/avxvnni.py": "one constant, which units/test_vector_unit.py checks",
    "schedules/units/neon.py": "one constant, which units/test_vector_unit.py checks",
    "schedules/units/neon_dotprod.py": "one constant, which units/test_vector_unit.py checks",
    "schedules/units/neon_armv7.py": "one constant, which units/test_vector_unit.py checks",
}


@cache
def sources() -> dict[Path, Path]:
    """Every source file with more than a docstring, and its place below the package."""
    return {
        path.relative_to(ROOT): path.relative_to(ROOT / PACKAGE if folder == PACKAGE else ROOT)
        for folder in (PACKAGE, *BESIDE)
        for path in sorted((ROOT / folder).rglob("*.py"))
        if any(not isinstance(node, ast.Expr) for node in parsed(path).body)
    }


def home_of(place: Path) -> Path:
    """Where the tests of the source file at ``place`` stand; those of a package have its name."""
    name = (place.parent.name or PACKAGE) if place.name == "__init__.py" else place.stem
    return TESTS / place.parent / f"test_{name}.py"


def imported_modules(path: Path) -> Iterator[str]:
    """The modules of the tests that a file imports, at its top or later."""
    for statement in IMPORTS.findall(path.read_text(encoding="utf-8")):
        (node,) = ast.parse(statement).body
        prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        yield from (f"{prefix}{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("plan.py", "test_plan.py"),
        ("__init__.py", "test_b2nn_tvm.py"),
        ("models/__init__.py", "models/test_models.py"),
        ("mixbin/network/capture.py", "mixbin/network/test_capture.py"),
    ],
)
def test_the_place_of_a_test(place: str, expected: str) -> None:
    assert home_of(Path(place)).relative_to(TESTS) == Path(expected)


def test_every_source_file_with_behaviour_has_its_test_file() -> None:
    asked = {str(path): place for path, place in sources().items() if str(path) not in WITHOUT_BEHAVIOUR}
    assert len(asked) > 100
    assert [path for path, place in asked.items() if not home_of(place).is_file()] == []


def test_what_has_no_behaviour_is_there_and_has_no_test_file() -> None:
    places = {str(path): place for path, place in sources().items()}
    assert [path for path in WITHOUT_BEHAVIOUR if path not in places or home_of(places[path]).exists()] == []


def test_tests_import_only_what_is_there_to_be_shared() -> None:
    """Not another test file, not a conftest, nor a helper that stands among the tests."""
    files = sorted(TESTS.rglob("*.py"))
    assert len(files) > 100
    found = {str(path.relative_to(ROOT)): set(imported_modules(path)) for path in files}
    assert any(found.values())
    wrong = {path: {name for name in names if not name.startswith("tests.support.")} for path, names in found.items()}
    assert {path: names for path, names in wrong.items() if names} == {}
