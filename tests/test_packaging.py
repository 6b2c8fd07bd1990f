"""What is installed is what is there, and every dependency is pinned."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DATA_ONLY = {"b2nn_tvm.examples.board": ROOT / "examples" / "board"}  # files for bundles, no code of the package


def test_every_package_is_listed() -> None:
    folders = {"b2nn_tvm": ROOT / "b2nn_tvm"} | {
        f"b2nn_tvm.{name}": ROOT / name for name in ("schedules", "targets", "deploy")
    }
    present = set()
    for name, folder in folders.items():
        for path in folder.rglob("__init__.py"):
            present.add(".".join([name, *path.parent.relative_to(folder).parts]))
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == present | set(DATA_ONLY)


def test_every_file_that_is_no_code_is_package_data() -> None:
    data = PROJECT["tool"]["setuptools"]["package-data"]
    folders = {"b2nn_tvm": ROOT / "b2nn_tvm"} | {
        f"b2nn_tvm.{name}": ROOT / name for name in ("schedules", "targets", "deploy")
    }
    for package, folder in (folders | DATA_ONLY).items():
        inside = {
            name: name.removeprefix(package).strip(".").replace(".", "/") for name in data if name.startswith(package)
        }
        matched = {path for name in inside for pattern in data[name] for path in (folder / inside[name]).glob(pattern)}
        others = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc", ".md")}
        assert {path.relative_to(ROOT) for path in others - matched} == set()


@pytest.mark.parametrize("group", ["dependencies", *PROJECT["project"]["optional-dependencies"]])
def test_every_dependency_is_pinned_within_its_range(group: str) -> None:
    from packaging.requirements import Requirement

    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    pins = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins.items()}
    project = PROJECT["project"]
    for text in project["dependencies"] if group == "dependencies" else project["optional-dependencies"][group]:
        wanted = Requirement(text)
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name == project["name"]:  # an extra that is made of others
            assert wanted.extras <= set(project["optional-dependencies"])
            continue
        assert name in pins, f"{name} is not in constraints.txt"
        assert wanted.specifier.contains(pins[name], prereleases=True), (
            f"constraints.txt pins {name} to {pins[name]}, which is not in {text}"
        )


def test_the_page_names_every_extra() -> None:
    page = (ROOT / "docs" / "packaging.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(PROJECT["project"]["optional-dependencies"])


def test_constraints_are_exact() -> None:
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!-]+", line)] == []
