"""results.csv gives back what was written, and what is none is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.study import table
from tests.support.study.rows import made_up


def test_rows_come_back(tmp_path: Path) -> None:
    rows = made_up({"front": [0.25, 0.5]})
    assert table.read(table.write(tmp_path / "results.csv", rows)) == tuple(rows)


@pytest.mark.parametrize("text", ["part,method\nmethods,front\n", ",".join(table.COLUMNS) + "\n" + "x," * 22 + "x\n"])
def test_another_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.csv").write_text(text)
    with pytest.raises(InputError, match="expected the results.csv of a study"):
        table.read(tmp_path / "results.csv")
