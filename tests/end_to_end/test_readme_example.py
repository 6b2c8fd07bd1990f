"""The README's Python runs as it is printed, and finds what the README says.

.ci/run does the same with the installed wheel in an empty environment, so it leaves this test out.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.support.paths import ROOT


@pytest.mark.sweep
@pytest.mark.usefixtures("short_measurements")
def test_the_readmes_python_runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the example trains a network; torch is of the extra train")
    ours = runpy.run_path(str(ROOT / ".ci" / "readme_example.py"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readme.py").write_text(ours["example"]() + ours["CHECKS"], encoding="utf-8")
    names = runpy.run_path(str(tmp_path / "readme.py"))
    result = names["result"]
    printed = capsys.readouterr().out
    assert f"{result.measured_ms:.3f} ms of {result.limit:.3f} ms" in printed
    assert f"the library says {names['outputs']['output'].argmax()}" in printed
