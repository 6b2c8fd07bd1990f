"""The documents say what the commands take and name only files that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import click
import pytest

from b2nn_tvm.version import __version__
from tests.support.paths import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
COMMON = {"--config", "-q", "--quiet", "-v", "--verbose", "--debug", "--version"}  # of all commands
COMMANDS = ("compile", "profile", "device", "search", "study", "env")


def section(command: str) -> str:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    return text.split(f"## b2nn-{command}\n")[1].split("\n## ")[0]


def options(command: str) -> set[str]:
    main = importlib.import_module(f"b2nn_tvm.cli.{command}").main
    found = {
        word
        for parameter in main.params
        if isinstance(parameter, click.Option)
        for word in (*parameter.opts, *parameter.secondary_opts)
    }
    return found - COMMON


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented_and_none_else(command: str) -> None:
    documented = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", section(command)))
    assert options(command) - documented == set()
    assert documented - options(command) == set()


def test_the_columns_of_a_study_are_documented() -> None:
    pytest.importorskip("scipy", reason="the table is of the extra train")
    from b2nn_tvm.study import table

    page = (ROOT / "docs" / "study.md").read_text(encoding="utf-8").split("## As data\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    assert {word for cell in cells for word in re.findall(r"`(\w+)`", cell)} == set(table.COLUMNS)


def test_the_options_of_all_commands_are_documented_once() -> None:
    head = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8").split("\n## ")[0]
    rows = " ".join(re.findall(r"^\| (`-.*?) \|", head, re.MULTILINE))
    documented = set(re.findall(r"--?\w+", rows))
    assert documented == {*COMMON, "--help", "-h"}
    for command in COMMANDS:
        main = importlib.import_module(f"b2nn_tvm.cli.{command}").main
        assert {word for parameter in main.params for word in parameter.opts} >= COMMON


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_and_installed(command: str) -> None:
    assert f"b2nn-{command}" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f'b2nn-{command} = "b2nn_tvm.cli.{command}:main"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("start", ["README.md", "docs/index.md"])
def test_every_page_can_be_reached(start: str) -> None:
    """By links from page to page; the API reference is reached from its first page, in the site's menu."""
    reached: set[Path] = set()
    left = [ROOT / start]
    while left:
        page = left.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
            left += [(page.parent / link).resolve() for link in links]
    assert set((ROOT / "docs").glob("*.md")) - reached - {ROOT / "docs" / "index.md"} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert (
        set(re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text(encoding="utf-8"), re.MULTILINE)) - targets == set()
    )


@pytest.mark.parametrize("word", ["methods", "models", "data", "targets"])
def test_choices_that_the_documents_list_are_those_of_the_code(word: str) -> None:
    module = {"methods": "mixbin.selectors.registry", "models": "models", "data": "data", "targets": "targets.target"}[
        word
    ]
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") + (ROOT / "README.md").read_text(
        encoding="utf-8"
    )
    missing = [
        name
        for name in importlib.import_module(f"b2nn_tvm.{module}").names()
        if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
    ]
    assert missing == []


def test_the_readmes_commands_parse() -> None:
    """The words of every b2nn command in the README are accepted by its parser."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [
        line.partition("#")[0].split()
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
    ]
    calls = [words for words in lines if words and words[0].startswith("b2nn-")]
    assert len(calls) >= 3
    for name, *words in calls:
        main = importlib.import_module(f"b2nn_tvm.cli.{name.removeprefix('b2nn-')}").main
        main.make_context(name, words)


def test_the_citation_names_this_version_and_the_papers() -> None:
    """CITATION.cff has the package's version, and every paper that the README cites."""
    yaml = pytest.importorskip("yaml", reason="CITATION.cff is YAML; PyYAML comes with lightning, of the extra train")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    titles = [paper["title"] for paper in citation["references"]]
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Citation\n")[1].split("\n## ")[0]
    cited = [" ".join(item.split()) for item in section.split("\n- ")[1:]]
    assert len(cited) >= 4
    assert [item for item in cited if not any(title in item for title in titles)] == []


def test_the_committed_study_says_what_its_rows_say() -> None:
    """The page comes from the rows, and the table in docs/results.md from the page."""
    pytest.importorskip("scipy", reason="intervals are computed with scipy, of the extra train")
    from b2nn_tvm.study import page, table

    folder = ROOT / "docs" / "study"
    written = (folder / "README.md").read_text(encoding="utf-8")
    assert page.page(table.read(folder / "results.csv"), figures=["accuracy.svg", "layers.svg"]) == written
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| [\w ,()]+ ((?:\| \d+\.\d ± \d+\.\d ){4}\|)$", results, re.MULTILINE)
    assert len(quoted) == 5 and all(cells in written for cells in quoted)
