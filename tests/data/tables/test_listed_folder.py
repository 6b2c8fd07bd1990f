"""Images beside a table of their classes, in the forms in which they are handed out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm import data
from b2nn_tvm.errors import InputError

CLASSES = ("cat", "dog", "eel")


def images(folder: Path, count: int = 30, suffix: str = ".png") -> list[str]:
    """The names of as many images in ``folder``."""
    source = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:04}{suffix}" for number in range(count)]
    for name in names:
        Image.fromarray(source.integers(0, 255, (12, 10, 3), np.uint8)).save(folder / name)
    return names


def table(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("image,label", "{name},{label}"),
        ("label;file", "{label};{name}"),
        ("id\tbreed", "{stem}\t{label}"),
        ("path,width,class_name", "C:\\pets\\images\\{name},10,{label}"),
        ("filename,whatever", "./images/{name},{label}"),
        ("image,cat,dog,eel", "{stem},{ones}"),
        ("id,age,label", '{stem},3,"{label}"'),
    ],
)
def test_the_columns_of_files_and_of_classes_are_found(tmp_path: Path, header: str, row: str) -> None:
    rows = [
        row.format(
            name=name,
            stem=Path(name).stem,
            label=CLASSES[place % 3],
            ones=",".join("01"[place % 3 == each] for each in range(3)),
        )
        for place, name in enumerate(images(tmp_path / "pets" / "images"))
    ]
    table(tmp_path / "pets" / "labels.csv", header, rows)
    bundle = data.get(str(tmp_path / "pets"))
    assert bundle.class_names == CLASSES and bundle.name == "pets"
    splits = (bundle.train, bundle.val, bundle.test)
    assert [len(split) for split in splits] == [21, 3, 6]
    for split in splits:
        assert [int(file.stem) % 3 for file in split.files] == list(split.labels)
    assert "the classes of 30 images are taken from this table" in bundle.notes[0]


def test_tables_of_splits(tmp_path: Path) -> None:
    names = images(tmp_path / "all")
    for split, part in (("train", names[:18]), ("valid", names[18:24]), ("test", names[24:])):
        table(tmp_path / f"{split}.csv", "file,label", [f"{name},{int(name[:4]) % 3 + 9}" for name in part])
    bundle = data.get(str(tmp_path))
    assert bundle.class_names == ("9", "10", "11")  # numbers by their size
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [18, 6, 6]
    assert [file.name for file in bundle.test.files if bundle.test.labels[bundle.test.files.index(file)] == 0] == [
        "0024.png",
        "0027.png",
    ]


def test_a_column_of_splits(tmp_path: Path) -> None:
    names = images(tmp_path / "all")
    rows = [f"{name},{CLASSES[place % 3]},{'Testing' if place > 23 else 'Train'}" for place, name in enumerate(names)]
    bundle = data.get(str(table(tmp_path / "list.csv", "file,label,split", rows)))
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [22, 2, 6]


def test_a_test_table_without_classes_is_left(tmp_path: Path) -> None:
    """As in competitions: train.csv has classes, test.csv has none."""
    names = images(tmp_path / "train")
    (tmp_path / "test").mkdir()
    (tmp_path / "train" / names.pop()).rename(tmp_path / "test" / "7777.png")
    table(tmp_path / "train.csv", "id,label", [f"{name[:4]},{place % 2}" for place, name in enumerate(names)])
    table(tmp_path / "test.csv", "id", ["7777"])
    bundle = data.get(str(tmp_path))
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [22, 2, 5]


def test_rows_without_a_file_are_left_out_with_a_note(tmp_path: Path) -> None:
    names = images(tmp_path)
    rows = [f"{name},{CLASSES[place % 3]}" for place, name in enumerate(names)] + ["gone.png,cat"]
    bundle = data.get(str(table(tmp_path / "labels.csv", "file,label", rows)))
    assert "1 row has no file or no class, and is left out" in bundle.notes[1]


def test_a_folder_of_classes_with_other_facts_in_a_table_stays_one(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        images(tmp_path / name, 6)
    table(tmp_path / "sizes.csv", "file,width", [f"{name}/0000.png,10" for name in ("cat", "dog")])
    (tmp_path / "notes.csv").write_bytes("größe;fläche".encode("latin-1"))
    assert data.get(str(tmp_path)).class_names == ("cat", "dog")


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    names = images(tmp_path / "all", 6)
    path = table(tmp_path / "list.csv", "file,label", [f"{name},cat" for name in names])
    with pytest.raises(InputError, match="at least two classes"):
        data.get(str(path))
    table(path, "file,label", [f"{name},{place % 2}" for place, name in enumerate(names[:4])])
    with pytest.raises(InputError, match="at least 3 images of each class"):
        data.get(str(path))
    table(path, "file,a,b", [f"{name},1,7" for name in names])
    with pytest.raises(InputError, match="this file is a table"):
        data.get(str(path))
    table(
        path,
        "file,label,split",
        [f"{name},{place},{'train' if place < 4 else 'test'}" for place, name in enumerate(names)],
    )
    with pytest.raises(InputError, match="test has classes that train lacks: 4, 5"):
        data.get(str(path))
    path.write_bytes(b"\xff\xfe\x00file")
    with pytest.raises(InputError, match="expected a table of text"):
        data.get(str(path))
