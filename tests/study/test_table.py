"""results.csv gives back what was written, and what is none is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.study import table
from tests.support.study.rows import made_up, timed


def test_rows_come_back(tmp_path: Path) -> None:
    rows = made_up({"front": [0.25, 0.5]})
    rows += timed("float", {"100": (0.125, [0.5])})  # the others have not been measured
    assert table.read(table.write(tmp_path / "results.csv", rows)) == tuple(rows)


def test_a_table_without_later_columns_has_their_defaults(tmp_path: Path) -> None:
    rows = made_up({"front": [0.25]})
    path = table.write(tmp_path / "results.csv", rows)
    lines = path.read_text().splitlines()
    later = ",recipe,draw,hypothesis,training_precision,ms,low_ms,high_ms,target,cpu,threads"
    assert lines[0].endswith(later)
    path.write_text("\n".join(line.rsplit(",", later.count(","))[0] for line in lines))
    assert table.read(path) == tuple(rows)


def test_the_rows_of_one_hypothesis_are_replaced_and_those_of_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    first, second, again = (
        [replace(row, hypothesis=number) for row in made_up({"front": values})]
        for number, values in (("1", [0.1, 0.2]), ("2", [0.3]), ("1", [0.4]))
    )
    table.replace_rows(path, "2", second)
    table.replace_rows(path, "1", first)
    assert table.read(path) == (*first, *second)
    table.replace_rows(path, "1", again)
    assert table.read(path) == (*again, *second)
    table.replace_rows(path, "1", first, fewer=False)
    table.replace_rows(path, "1", again, fewer=False)  # a run that goes on, and knows one of two rows so far
    assert table.read(path) == (*first, *second)


@pytest.mark.parametrize("text", ["part,method\nmethods,front\n", ",".join(table.COLUMNS) + "\n" + "x," * 22 + "x\n"])
def test_another_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.csv").write_text(text)
    with pytest.raises(InputError, match="expected the results.csv of a study"):
        table.read(tmp_path / "results.csv")
