"""Who may import whom: the contracts of pyproject.toml hold without exceptions, and nothing imports in a circle."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

from tests.support.link_tree import link_tree
from tests.support.parsed import parsed
from tests.support.paths import ROOT

PACKAGE = ROOT / "b2nn_tvm"
CLI_AT_THE_TOP = {
    "click",
    *(f"b2nn_tvm.cli.{name}" for name in ("command", "limits", "process_tree", "supervise", "whole_search")),
    *(
        f"b2nn_tvm.cli.options.{name}"
        for name in ("config", "fit", "numbers", "search_layers", "search_network", "shapes", "word")
    ),
    *(f"b2nn_tvm.cli.process.{name}" for name in ("ends", "streams")),
    "b2nn_tvm.version",
    "b2nn_tvm.cli",
}
LAW = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return link_tree(tmp_path_factory.mktemp("links") / "tree")


@pytest.fixture(scope="module")
def imports(tree: Path) -> nx.DiGraph:
    """An edge from every module of the package to every one that it imports: lazily, and for type checkers, too."""
    code = "import grimp, json; g = grimp.build_graph('b2nn_tvm', cache_dir=None); "
    code += (
        "print(json.dumps([(m, t) for m in sorted(g.modules) for t in sorted(g.find_modules_directly_imported_by(m))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=True)
    graph = nx.DiGraph()
    graph.add_edges_from(json.loads(done.stdout))
    return graph


def circles(graph: nx.DiGraph) -> list[list[str]]:
    return [sorted(each) for each in nx.strongly_connected_components(graph) if len(each) > 1]


def folders(graph: nx.DiGraph, depth: int) -> nx.DiGraph:
    """The same between folders ``depth`` levels below the package; a module above that level stands for itself."""
    found = nx.DiGraph()
    for source, target in graph.edges:
        ends = [".".join(name.split(".")[: depth + 1]) for name in (source, target)]
        if ends[0] != ends[1]:
            found.add_edge(*ends)
    return found


def test_the_contracts_are_kept(tree: Path) -> None:
    command = ["lint-imports", str(ROOT / "pyproject.toml"), "--no-cache"]
    command[0] = str(Path(sys.executable).with_name("lint-imports"))
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[done.stdout.find("Contracts") :] + done.stderr


def test_the_contracts_have_no_exceptions() -> None:
    assert LAW["include_external_packages"] and not LAW.get("exclude_type_checking_imports")
    for contract in LAW["contracts"]:
        loose = {"ignore_imports", "allow_indirect_imports", "exhaustive_ignores"} & contract.keys()
        assert not loose, f"{contract['name']}: {', '.join(loose)}"
        assert contract["type"] != "layers" or contract["exhaustive"], contract["name"]


def test_no_file_imports_in_a_circle(imports: nx.DiGraph) -> None:
    assert imports.number_of_edges() > 1000
    assert circles(imports) == []


@pytest.mark.parametrize("depth", [1, 2])
def test_no_folder_imports_in_a_circle(imports: nx.DiGraph, depth: int) -> None:
    assert circles(folders(imports, depth)) == []


def test_a_circle_is_found() -> None:
    graph = nx.DiGraph([("p.a.x", "p.b.y"), ("p.b.z", "p.a.w"), ("p.a.x", "p.a.w")])
    assert circles(graph) == [] and circles(folders(graph, 1)) == [["p.a", "p.b"]]


def test_the_root_is_small_and_no_folder_is_crowded() -> None:
    loose = sorted(path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__"))
    assert len(loose) <= 9, loose
    for top in ("b2nn_tvm", "deploy", "schedules", "targets"):
        for folder in (
            ROOT / top,
            *(path for path in (ROOT / top).rglob("*") if path.is_dir() and path.name != "__pycache__"),
        ):
            files = [path.name for path in folder.iterdir() if path.is_file() and path.name != "__init__.py"]
            assert len(files) <= 18, f"{folder.relative_to(ROOT)}: {len(files)} files"


def named(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every module named by an import statement, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.lineno


WITHOUT_COMMAND = {"search_with_bars.py", "environment.py"}  # what Python calls, and what b2nn-env imports when it runs
COMMANDS = [path for path in sorted((PACKAGE / "cli").rglob("*.py")) if path.name not in WITHOUT_COMMAND]


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
def test_commands_import_at_the_top_only_the_argument_parser(path: Path) -> None:
    body = parsed(path).body
    top = ast.Module(body=[node for node in body if isinstance(node, ast.Import | ast.ImportFrom)], type_ignores=[])
    for module, line in named(top):
        # The package of words imports nothing of what they name.
        known = module in CLI_AT_THE_TOP or module.startswith("b2nn_tvm.words.")
        allowed = known or module.partition(".")[0] in sys.stdlib_module_names
        assert allowed, f"{path.name}:{line} imports {module} at the top"


IMPORTED = [
    ("b2nn_tvm", {"torch", "tvm", "numpy", "onnx"}),
    ("b2nn_tvm.cli.compile", {"torch", "tvm", "numpy", "rich"}),
    ("b2nn_tvm.cli.profile", {"torch", "tvm", "numpy", "rich"}),
    ("b2nn_tvm.cli.device", {"torch", "tvm", "numpy", "rich"}),
    ("b2nn_tvm.cli.search", {"torch", "tvm", "numpy", "rich"}),
    ("b2nn_tvm.cli.study", {"torch", "tvm", "numpy", "rich"}),
    ("b2nn_tvm.plan", {"torch", "tvm"}),
    ("b2nn_tvm.costs.additive", {"torch", "tvm"}),
    ("b2nn_tvm.reference", {"torch", "tvm"}),
    ("b2nn_tvm.targets.target", {"torch", "tvm"}),
    ("b2nn_tvm.deploy.library.artifact", {"torch"}),
    ("b2nn_tvm.deploy.latency.measure", {"torch"}),
    ("b2nn_tvm.mixbin.selection.select", {"tvm"}),
    ("b2nn_tvm.mixbin.training.train", {"tvm"}),
    ("b2nn_tvm.export.export_onnx", {"tvm"}),
    ("b2nn_tvm.tracking.tracker", {"tvm"}),
    ("b2nn_tvm.tracking.scoring", {"tvm"}),
]
# Each module is imported by a fork of its own. What those of one half import anyway was imported before the fork, once.
FORKS = """
import importlib, json, os, sys
for preloaded, modules in json.loads(sys.argv[1]):
    for name in preloaded:
        importlib.import_module(name)
    for module in modules:
        if not (child := os.fork()):
            importlib.import_module(module)
            print(json.dumps([module, sorted({name.partition(".")[0] for name in sys.modules})]), flush=True)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.exit(f"{module} cannot be imported")
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """The packages that are loaded in a process which imports a module, by the modules."""
    training = [module for module, absent in IMPORTED if absent == {"tvm"}]
    groups = [([], [module for module, _ in IMPORTED if module not in training]), (["torch", "lightning"], training)]
    words = [sys.executable, "-c", FORKS, json.dumps(groups)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {module: set(packages) for module, packages in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize(("module", "absent"), IMPORTED)
def test_importing_loads_no_package_of_the_other_half(
    loaded: dict[str, set[str]], module: str, absent: set[str]
) -> None:
    assert module.partition(".")[0] in loaded[module] and loaded[module] & absent == set()


def test_the_page_names_every_module_by_its_folder() -> None:
    """docs/design.md is the map: a row per folder, with all that stands in it."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/]+)/` \| .+ \| (.*) \|$", page, re.MULTILINE)
    named = {folder: re.findall(r"`(\w+)`", modules) for folder, modules in rows}
    present: dict[str, list[str]] = {}
    for top in ("b2nn_tvm", "deploy", "schedules", "targets", "runtime"):
        for path in sorted((ROOT / top).rglob("*.py")):
            if path.name != "__init__.py":
                present.setdefault(str(path.parent.relative_to(ROOT)), []).append(path.stem)
    assert named == present


def test_the_page_tells_the_law_of_the_contract() -> None:
    """The rows of its first table are the layers of the first contract, in this order."""
    table = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").split("## The import law")[1].split("\n\n")[2]
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()[2:]]
    assert rows == [re.findall(r"\w+", layer) for layer in LAW["contracts"][0]["layers"]]
