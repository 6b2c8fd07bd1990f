"""Which columns of a table are meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.data.tables.find_files import FileIndex
from b2nn_tvm.data.tables.read_table import read_table


def read(folder: Path, text: str):
    for number in range(12):
        (folder / f"{number}.png").touch()
    (folder / "t.csv").write_bytes(text.encode("utf-8-sig"))
    return read_table(folder / "t.csv", FileIndex(folder))


def test_numbers_of_classes_that_are_names_of_files_too(tmp_path: Path) -> None:
    """The column with the most names has the files."""
    table = read(tmp_path, "label,id\n" + "".join(f"{number % 3},{number}\n" for number in range(12)))
    assert [path.stem for path in table.files] == list(map(str, range(12)))
    assert table.classes == ("0", "1", "2") * 4 and table.named and table.missing == 0


def test_a_cell_may_hold_a_comma_and_a_line_break(tmp_path: Path) -> None:
    table = read(tmp_path, '"file","label"\n"0.png","Abyssinian, a cat"\n"1.png","dog\nold"\n')
    assert table.classes == ("Abyssinian, a cat", "dog\nold")


def test_the_only_other_column_may_have_any_name(tmp_path: Path) -> None:
    assert not read(tmp_path, "f,g\n0.png,cat\n1.png,dog\n").named


@pytest.mark.parametrize(
    "text",
    ["", "file,label\n", "name,label\nx,cat\n", "file\n0.png\n", "f,a,b\n0.png,1,1\n1.png,0,1\n", "f,a,b\n0.png,x,y\n"],
    ids=["nothing", "no row", "no file", "no class", "no single one", "two columns"],
)
def test_other_tables_are_none(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) is None
