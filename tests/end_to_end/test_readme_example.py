"""The README's Python runs as it is printed, and finds what the README says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tests.support.paths import ROOT


@pytest.mark.sweep
def test_the_readmes_python_runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the example trains a network; torch is of the extra train")
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readme.py").write_text(code, encoding="utf-8")
    names = runpy.run_path(str(tmp_path / "readme.py"))
    result = names["result"]
    assert result.achieved <= result.limit and result.plan.binary
    assert result.accuracy > 0.5, "the digits have ten classes, and two epochs tell most of them apart"
    assert names["outputs"]["output"].shape == (1, 10)
    printed = capsys.readouterr().out
    assert f"{result.measured_ms:.3f} ms of {result.limit:.3f} ms" in printed
    assert f"the library says {names['outputs']['output'].argmax()}" in printed
