"""The example of the page on methods runs."""

import re

import pytest

from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "methods.md"


@pytest.mark.sweep
def test_the_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {})
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(" 0.0") and "conv1" in second


def test_every_class_and_function_it_names_exists():
    text = PAGE.read_text(encoding="utf-8")
    sources = "".join(path.read_text(encoding="utf-8") for path in (PAGE.parents[1] / "b2nn_tvm").rglob("*.py"))
    named = set(re.findall(r"`([A-Za-z_]+)\(", text)) | set(re.findall(r"`([A-Z][A-Z_]+)`", text))
    assert (
        named
        and [name for name in named if not re.search(rf"(def|class) {name}\b|^{name} = ", sources, re.MULTILINE)] == []
    )
