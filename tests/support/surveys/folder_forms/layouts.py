"""The ways in which folders of images are laid out, and what systems and programs leave in them."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

from tests.support.surveys.folder_forms.form import (
    COLORS,
    HEIGHT,
    PAPERS,
    SIDE,
    TRAIN,
    VAL,
    WIDTH,
    Form,
    copy,
    move,
    write_class,
)

TWO_SPLITS = 4 * (TRAIN + VAL)


def _three_splits(root: Path) -> None:
    copy(root, "val", "test")


def _unlabelled_test(root: Path) -> None:
    (root / "test").mkdir()
    copy(root, "val/cat/0.png", "test/0.png")


def _val_twice(root: Path) -> None:
    copy(root, "val", "valid")


def _around(*names: str) -> Form:
    def change(root: Path) -> Path:
        inner = root.parent.joinpath("download", *names)
        inner.mkdir(parents=True)
        for split in ("train", "val"):
            (root / split).rename(inner / split)
        return root.parent / "download"

    return Form(change)


def _classes_first(root: Path) -> None:
    for name in COLORS:
        for split in ("train", "val"):
            move(root, **{f"{split}/{name}": f"{name}/{split}"})
    for split in ("train", "val"):
        (root / split).rmdir()


def _no_splits(root: Path, *, gray: bool) -> None:
    for split in ("train", "val"):
        shutil.rmtree(root / split)
    for name in COLORS:
        write_class(root / name, TRAIN, gray=gray)


def _detection(root: Path) -> None:
    for split in ("train", "val"):
        move(root, **{f"{split}/cat": f"images/{split}"})
        shutil.rmtree(root / split)
        (root / "labels" / split).mkdir(parents=True)
        (root / "labels" / split / "0.txt").write_text("0 0.5 0.5 0.2 0.2\n")


def _flat_splits(root: Path) -> None:
    for split in ("train", "val"):
        shutil.rmtree(root / split)
        write_class(root / f"{split}2017", VAL, name="owl", gray=True)


def _flat_val(root: Path) -> None:
    shutil.rmtree(root / "val")
    write_class(root / "val", VAL, name="cat")


def _in_a_table(root: Path) -> None:
    shutil.rmtree(root / "val")
    (root / "images").mkdir()
    rows = ["file,class"]
    for place in sorted((root / "train").glob("*/*")):
        name = f"{place.parent.name}-{place.name}"
        place.rename(root / "images" / name)
        rows.append(f"{name},{place.parent.name}")
    shutil.rmtree(root / "train")
    (root / "labels.csv").write_text("\n".join(rows))


def _empty_val(root: Path) -> None:
    shutil.rmtree(root / "val")
    (root / "val").mkdir()


def _archive(root: Path) -> Path:
    return Path(shutil.make_archive(str(root), "zip", root))


def _shards(root: Path) -> None:
    for split in ("train", "val"):
        shutil.make_archive(str(root / f"{split}-000000"), "tar", root / split)
        shutil.rmtree(root / split)


def _seg_twice(root: Path) -> None:
    for split in ("train", "val"):
        move(root, **{split: "classes"})
        move(root, classes=f"seg_{split}/seg_{split}")


def _only(root: Path, split: str) -> None:
    shutil.rmtree(root / split)


def _decomposed(root: Path) -> None:
    for split, kind in (("train", "NFC"), ("val", "NFD")):
        move(root, **{f"{split}/cat": f"{split}/{unicodedata.normalize(kind, 'cat mit Ärmeln')}"})


def _renamed(**names: str) -> Form:
    def change(root: Path) -> None:
        for split in ("train", "val"):
            for old, new in names.items():
                move(root, **{f"{split}/{old}": f"{split}/{new}"})

    return Form(change, names={new: old for old, new in names.items()})


def _without(*places: str) -> Form:
    def change(root: Path) -> None:
        for place in places:
            shutil.rmtree(root / place)

    return Form(change, images=TWO_SPLITS - VAL * len(places))


def _left(*places: str, content: bytes = b"\0\1") -> Form:
    """Files that are no part of the data set."""

    def change(root: Path) -> None:
        for place in places:
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            (root / place).write_bytes(content)

    return Form(change)


def _notebook(root: Path) -> None:
    for place in ("train/.ipynb_checkpoints", "train/cat/.ipynb_checkpoints", "val/.ipynb_checkpoints"):
        write_class(root / place, 1, name="dog")


def _empty_class(root: Path, *splits: str) -> None:
    for split in splits:
        (root / split / "bear").mkdir()


def _class_in_val_alone(root: Path) -> None:
    write_class(root / "val" / "bear", 1, name="dog")


def _no_images(root: Path) -> None:
    for split in ("train", "val"):
        (root / split / "bear").mkdir()
        (root / split / "bear" / "bear.txt").write_text("a bear\n")


def _deeper(root: Path) -> None:
    for split in ("train", "val"):
        move(root, **{f"{split}/cat": f"{split}/_"})
        move(root, **{f"{split}/_": f"{split}/cat/batch 1/day"})


def _linked_class(root: Path) -> None:
    for split in ("train", "val"):
        move(root, **{f"{split}/cat": f"../store/{split}"})
        (root / split / "cat").symlink_to(root.parent / "store" / split)


def _loop(root: Path) -> None:
    (root / "train" / "cat" / "up").symlink_to(root / "train")


def _loose(root: Path) -> None:
    copy(root, "train/cat/0.png", "train/loose.png")


def _one_class(root: Path) -> None:
    for split in ("train", "val"):
        for name in ("dog", "owl", "swan"):
            shutil.rmtree(root / split / name)


def _one_image_each(root: Path) -> None:
    for file in root.glob("*/*/*.png"):
        if file.name != "0.png":
            file.unlink()


def _empty(root: Path) -> Path:
    (root.parent / "empty").mkdir()
    return root.parent / "empty"


LAYOUTS: dict[str, Form] = {
    "train/, val/": Form(lambda root: None),
    "train/, val/, without --image-size": Form(lambda root: None, {}, shape=(3, HEIGHT, WIDTH)),
    "train/, valid/": Form(lambda root: move(root, val="valid")),
    "Training/, Validation/": Form(lambda root: move(root, train="Training", val="Validation")),
    "training_set/, test_set/": Form(lambda root: move(root, train="training_set", val="test_set")),
    "train/, test/": Form(lambda root: move(root, val="test")),
    "train/, val/, test/": Form(_three_splits, images=TWO_SPLITS + 4 * VAL),
    "train/, val/, test/ without classes": Form(_unlabelled_test),
    "train/, val/, valid/": Form(_val_twice),
    "seg_train/seg_train/, seg_val/seg_val/": Form(_seg_twice),
    "train/ alone": Form(lambda root: _only(root, "val"), images=4 * TRAIN),
    "val/ alone": Form(lambda root: _only(root, "train")),
    "one folder around it": _around("pets"),
    "two folders around it": _around("pets-1.0", "data"),
    "three folders around it": _around("a", "b", "c"),
    "<class>/train/, <class>/val/": Form(_classes_first),
    "<class>/, photos": Form(lambda root: _no_splits(root, gray=False), images=4 * TRAIN),
    "<class>/, gray sketches": Form(
        lambda root: _no_splits(root, gray=True), images=4 * TRAIN, shape=(1, SIDE, SIDE), colors=PAPERS
    ),
    "images/train/, labels/train/, for detection": Form(_detection),
    "train2017/, val2017/": Form(lambda root: move(root, train="train2017", val="val2017")),
    "train2017/, val2017/ without classes": Form(_flat_splits),
    "train/, val/ without classes": Form(_flat_val),
    "train/, an empty val/": Form(_empty_val),
    "images/ and labels.csv": Form(_in_a_table, images=4 * TRAIN),
    "train-000000.tar, for streaming": Form(_shards),
    "a zip archive": Form(_archive),
    "an empty folder": Form(_empty),
    "no such folder": Form(lambda root: root / "nowhere"),
    ".DS_Store, Thumbs.db, desktop.ini": _left(
        ".DS_Store", "train/.DS_Store", "train/cat/Thumbs.db", "val/desktop.ini"
    ),
    "._0.png of macOS": _left("train/cat/._0.png", "val/cat/._0.png"),
    "__MACOSX beside it and in it": _left("__MACOSX/._train", "train/__MACOSX/._cat"),
    "@eaDir of a NAS": _left("train/cat/@eaDir/0.png/thumb.jpg"),
    ".ipynb_checkpoints as a class and in one": Form(_notebook),
    ".git beside it": _left(".git/HEAD"),
    "README.md and labels.csv beside the classes": _left("README.md", "train/labels.csv", "train/cat/labels.csv"),
    "images beside the classes": Form(_loose),
    "an empty class in train/ and val/": Form(lambda root: _empty_class(root, "train", "val")),
    "an empty class in train/ alone": Form(lambda root: _empty_class(root, "train")),
    "a class that val/ lacks": _without("val/cat"),
    "a class that train/ lacks": Form(_class_in_val_alone),
    "a class in other case, Cat and cat": Form(lambda root: move(root, **{"val/cat": "val/Cat"})),
    "a class of text files": Form(_no_images),
    "classes with spaces and umlauts": _renamed(cat="cat with space", dog="dog größer", owl="owl 猫"),
    "a class in decomposed Unicode in val/": Form(_decomposed, names={"cat mit Ärmeln": "cat"}),
    "classes called train and test": _renamed(cat="train", dog="test"),
    "classes called 10, 9, 8 and 7": _renamed(cat="10", dog="9", owl="8", swan="7"),
    "images in folders of a class": Form(_deeper),
    "a class that is a link": Form(_linked_class),
    "a link that leads back up": Form(_loop),
    "one class": Form(_one_class),
    "one image per class": Form(_one_image_each, images=8),
    "a class with a name that is no Unicode": _renamed(cat=os.fsdecode(b"cat\xff")),
}
