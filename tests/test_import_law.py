"""Who may import whom: one table, checked over the syntax tree of every file, and by importing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "b2nn_tvm"
OUTSIDE = ("schedules", "targets", "deploy")

STANDARD = frozenset(sys.stdlib_module_names)
GROUND = {"", "errors", "version", "workload", "progress"}  # "" is `import b2nn_tvm`, which loads neither torch nor tvm
NUMERIC = GROUND | {"document", "plan", "cost", "cost_fit", "cost_table", "reference"}
TORCH_HALF = NUMERIC | {"state", "mixbin", "models", "data", "export", "onnx_function"}
IMPORTER = NUMERIC | {
    "passes",
    "layer_names",
    "rewrite_log",
    "onnx_file",
    "onnx_fold",
    "onnx_converters",
    "onnx_binary_ops",
}
TRAINING = {"numpy", "scipy", "sklearn", "torch", "lightning", "rich", "cloudpickle", "torch_pruning"}
COMPILER_HALF = IMPORTER | {
    "frontend",
    "ops",
    "passes",
    "layer_book",
    "targets",
    "schedules",
    "deploy",
    "compiler",
    "verify",
}
EVERYTHING = TORCH_HALF | COMPILER_HALF | {"tracking", "loop", "report"}

# part: (parts of this project that it may import, packages that it may import)
LAW: dict[str, tuple[set[str], set[str]]] = {
    "": (EVERYTHING, set()),
    "errors": (set(), set()),
    "version": (set(), set()),
    "progress": ({"errors"}, set()),
    "workload": (set(), set()),
    "document": (GROUND, {"jsonschema"}),
    "state": (GROUND | {"document"}, set()),
    "layer_names": (GROUND, {"numpy"}),
    "rewrite_log": (GROUND | {"layer_names"}, {"numpy"}),
    "layer_book": (GROUND | {"layer_names", "rewrite_log"}, {"numpy"}),
    "plan": (NUMERIC, {"numpy"}),
    "cost": (NUMERIC, {"numpy", "scipy"}),
    "cost_fit": (NUMERIC, {"numpy", "scipy"}),
    "cost_table": (NUMERIC, {"numpy"}),
    "reference": (NUMERIC, {"numpy"}),
    "mixbin": (TORCH_HALF, TRAINING),
    "models": (TORCH_HALF, TRAINING),
    "data": (TORCH_HALF, TRAINING | {"PIL"}),
    "tracking": (TORCH_HALF | {"tracking"}, {"numpy", "torch", "PIL"}),
    "export": (TORCH_HALF, TRAINING | {"onnx", "onnxscript"}),
    "onnx_function": (TORCH_HALF, TRAINING | {"onnx"}),
    "ops": (NUMERIC | {"ops"}, {"numpy", "tvm", "tvm_ffi"}),
    "passes": (IMPORTER | {"ops", "frontend", "layer_book"}, {"numpy", "tvm", "tvm_ffi"}),
    "frontend": (IMPORTER, {"numpy", "tvm", "tvm_ffi", "onnx"}),
    "onnx_fold": (NUMERIC, {"numpy", "onnx"}),
    "onnx_file": (NUMERIC, {"numpy", "onnx", "google"}),
    "onnx_converters": (IMPORTER, {"numpy", "tvm", "tvm_ffi", "onnx"}),
    "onnx_binary_ops": (IMPORTER, {"numpy", "tvm", "tvm_ffi", "onnx"}),
    "targets": (GROUND | {"targets"}, {"tvm"}),
    "schedules": (NUMERIC | {"ops", "targets", "schedules"}, {"numpy", "tvm", "tvm_ffi"}),
    "deploy": (
        NUMERIC | {"layer_names", "layer_book", "rewrite_log", "targets", "deploy"},
        {"numpy", "tvm", "tvm_ffi", "onnx", "psutil"},
    ),
    "compiler": (COMPILER_HALF, {"numpy", "tvm", "tvm_ffi", "onnx", "onnxruntime"}),
    "verify": (COMPILER_HALF, {"numpy", "onnx", "onnxruntime"}),
    "loop": (EVERYTHING, TRAINING | {"onnx"}),
    "report": (EVERYTHING, {"jinja2"}),
    "study": (TORCH_HALF | {"loop", "study", "cli"}, TRAINING | {"matplotlib"}),
    "cli": (EVERYTHING | {"cli", "study"}, TRAINING | {"click", "rich"}),
}
CLI_AT_THE_TOP = {"click", "b2nn_tvm.cli.command", "b2nn_tvm.version", "b2nn_tvm.cli"}


def sources() -> list[Path]:
    folders = [PACKAGE, *(ROOT / name for name in OUTSIDE)]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT)
    first = relative.parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imports(tree: ast.AST, path: Path) -> Iterator[tuple[str, int]]:
    """Every module named by an import statement, with its line; relative ones are refused by a test of their own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module, node.lineno
            if node.module == "b2nn_tvm":
                yield from ((f"b2nn_tvm.{name.name}", node.lineno) for name in node.names)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_row_allows(path: Path) -> None:
    part = part_of(path)
    assert part in LAW, f"{path.relative_to(ROOT)} belongs to no row of the import law; add one"
    own, packages = LAW[part]
    for module, line in imports(ast.parse(path.read_text(encoding="utf-8")), path):
        head, _, rest = module.partition(".")
        where = f"{path.relative_to(ROOT)}:{line}: {part or 'the package'} may not import {module}"
        if head == "b2nn_tvm":
            target = rest.partition(".")[0]
            known = (
                target in LAW
            )  # else a public name such as b2nn_tvm.compile_model, which the package loads by itself
            assert not known or target == part or target in own | GROUND - ({part} if part in GROUND else set()), where
        elif head not in STANDARD:
            assert head in packages, where


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_are_absolute(path: Path) -> None:
    relative = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative, f"{path.relative_to(ROOT)} has relative imports in lines {relative}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda path: path.name)
def test_commands_import_at_the_top_only_the_argument_parser(path: Path) -> None:
    top = ast.Module(
        body=[
            node
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
    )
    for module, line in imports(top, path):
        assert module in CLI_AT_THE_TOP or module.partition(".")[0] in STANDARD, (
            f"{path.name}:{line} imports {module} at the top"
        )


@pytest.mark.parametrize("path", sorted((ROOT / "targets").glob("*.py")), ids=lambda path: path.name)
def test_targets_load_tvm_inside_a_function_only(path: Path) -> None:
    top = [
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    for module, line in imports(ast.Module(body=top), path):
        assert module.partition(".")[0] != "tvm", f"{path.name}:{line}"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("b2nn_tvm", {"torch", "tvm", "numpy", "onnx"}),
        ("b2nn_tvm.cli.compile", {"torch", "tvm", "numpy", "rich"}),
        ("b2nn_tvm.cli.profile", {"torch", "tvm", "numpy", "rich"}),
        ("b2nn_tvm.cli.device", {"torch", "tvm", "numpy", "rich"}),
        ("b2nn_tvm.cli.search", {"torch", "tvm", "numpy", "rich"}),
        ("b2nn_tvm.cli.study", {"torch", "tvm", "numpy", "rich"}),
        ("b2nn_tvm.plan", {"torch", "tvm"}),
        ("b2nn_tvm.costs.additive", {"torch", "tvm"}),
        ("b2nn_tvm.reference", {"torch", "tvm"}),
        ("b2nn_tvm.targets", {"torch", "tvm"}),
        ("b2nn_tvm.deploy.library.artifact", {"torch"}),
        ("b2nn_tvm.deploy.latency.measure", {"torch"}),
        ("b2nn_tvm.mixbin.selection.select", {"tvm"}),
        ("b2nn_tvm.mixbin.training.train", {"tvm"}),
        ("b2nn_tvm.export.export_onnx", {"tvm"}),
        ("b2nn_tvm.tracking.tracker", {"tvm"}),
        ("b2nn_tvm.tracking.scoring", {"tvm"}),
    ],
)
def test_importing_loads_no_package_of_the_other_half(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print(*(set(sys.modules) & {absent!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
