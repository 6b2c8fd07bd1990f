"""GOT-10k's layout as it is on disk, written by hand here, whole and damaged."""

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.errors import InputError
from b2nn_tvm.tracking.got10k import got10k

NAME = "GOT-10k_Train_000001"


def write(folder, name, *lines):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def root(tmp_path):
    """A training sequence of three frames and a test sequence of two, of which only the first box is public."""
    for split, name, frames in (("train", NAME, 3), ("test", "GOT-10k_Test_000001", 2)):
        folder = tmp_path / split / name
        write(tmp_path / split, "list.txt", name)
        for number in range(1, frames + 1):
            folder.mkdir(exist_ok=True)
            Image.new("RGB", (20, 10), (40 * number, 0, 0)).save(folder / f"{number:08d}.jpg", quality=100)
    train = tmp_path / "train" / NAME
    write(train, "groundtruth.txt", "1.0000,2.0000,5.0000,4.0000", "1.5,2,5,4", "0,0,0,0")
    write(train, "absence.label", "0", "0", "1")
    write(train, "cover.label", "8", "3", "0")
    write(train, "meta_info.ini", "[METAINFO]", "url: https://example.org/v?t=1", "resolution: (20, 10)")
    write(tmp_path / "test" / "GOT-10k_Test_000001", "groundtruth.txt", "3,4,5,6")
    return tmp_path


def test_a_sequence_is_read_as_it_is_written(root):
    (video,) = got10k(root, "train")
    assert video.name == NAME and len(video) == 3 and video.annotated
    np.testing.assert_array_equal(video.boxes, [[1, 2, 5, 4], [1.5, 2, 5, 4], [0, 0, 0, 0]])
    assert (video.absence.tolist(), video.cover.tolist()) == ([0, 0, 1], [8, 3, 0])
    assert video.meta == {"url": "https://example.org/v?t=1", "resolution": "(20, 10)"}
    assert [video.frame(index).getpixel((9, 5))[0] // 38 for index in range(3)] == [1, 2, 3]


def test_a_test_sequence_has_its_first_box_only(root):
    (video,) = got10k(root, "test")
    assert len(video) == 2 and not video.annotated
    assert video.boxes.tolist() == [[3, 4, 5, 6]] and video.cover is None and video.absence is None and video.meta == {}


def test_an_unknown_split_is_refused(root):
    with pytest.raises(InputError, match="no split 'validation'; choose one of train, val, test"):
        got10k(root, "validation")
    with pytest.raises(InputError, match="val/list.txt: no such file"):
        got10k(root, "val")


@pytest.mark.parametrize(
    "name",
    ["../test/GOT-10k_Test_000001", "/etc", "..", ".", f"./{NAME}", f"{NAME}/", "C:\\videos", "a\\b", "C:", "a\0b", ""],
)
def test_list_txt_names_folders_beside_it_and_nothing_else(root, name):
    write(root / "train", "list.txt", NAME, name, NAME)
    with pytest.raises(InputError, match="list.txt, line 2: expected the name of a folder beside it") as error:
        got10k(root, "train")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("lines", [[], ["", " "], [NAME, NAME]])
def test_list_txt_names_each_sequence_once(root, lines):
    write(root / "train", "list.txt", *lines)
    with pytest.raises(InputError, match="expected the names of sequences, each once"):
        got10k(root, "train")


def test_a_listed_sequence_that_is_not_there_is_named(root):
    write(root / "train", "list.txt", "GOT-10k_Train_000002")
    with pytest.raises(InputError, match="GOT-10k_Train_000002/groundtruth.txt: no such file"):
        got10k(root, "train")
    write(root / "train", "list.txt", "x" * 300)
    with pytest.raises(InputError, match="cannot be read"):
        got10k(root, "train")


@pytest.mark.parametrize(
    "line",
    [
        "1,2,3",
        "1,2,3,4,5",
        "",
        "1 2 3 4",
        "a,2,3,4",
        "nan,2,3,4",
        "1,2,inf,4",
        "1,2,-3,4",
        "1,2,3,-0.5",
        "1,2,3,",
        "1e999,2,3,4",
    ],
)
def test_lines_that_are_no_box_are_named(root, line):
    write(root / "train" / NAME, "groundtruth.txt", "1,2,5,4", line, "1,2,5,4")
    with pytest.raises(InputError, match='groundtruth.txt, line 2: expected a box "x,y,width,height"'):
        got10k(root, "train")


@pytest.mark.parametrize("lines", [[], ["0,0,0,4", "1,2,5,4", "1,2,5,4"]])
def test_the_first_box_shows_a_target(root, lines):
    write(root / "train" / NAME, "groundtruth.txt", *lines)
    with pytest.raises(InputError, match="the first box is missing or empty"):
        got10k(root, "train")


def test_boxes_and_frames_match(root):
    write(root / "train" / NAME, "groundtruth.txt", "1,2,5,4", "1,2,5,4")
    with pytest.raises(InputError, match="groundtruth.txt: has 2 boxes for 3 frames"):
        got10k(root, "train")
    write(root / "train" / NAME, "groundtruth.txt", "1,2,5,4")  # as in a test sequence, but this is none
    with pytest.raises(InputError, match="has 1 box for 3 frames"):
        got10k(root, "train")


@pytest.mark.parametrize(("gone", "named"), [(1, 1), (2, 2)])
def test_a_gap_between_frames_is_named(root, gone, named):
    (root / "train" / NAME / f"{gone:08d}.jpg").unlink()
    with pytest.raises(InputError, match=f"{NAME}/0000000{named}.jpg: no such frame"):
        got10k(root, "train")


def test_the_missing_last_frame_is_found_by_the_boxes(root):
    (root / "train" / NAME / "00000003.jpg").unlink()
    with pytest.raises(InputError, match="has 3 boxes for 2 frames"):
        got10k(root, "train")


def test_a_sequence_without_frames_is_named(root):
    for path in (root / "train" / NAME).glob("*.jpg"):
        path.unlink()
    with pytest.raises(InputError, match=f"{NAME}/00000001.jpg: no such frame"):
        got10k(root, "train")


@pytest.mark.parametrize(
    ("name", "wrong"), [("cover.label", "9"), ("cover.label", "-1"), ("absence.label", "2"), ("absence.label", "0.0")]
)
def test_labels_are_integers_in_their_range(root, name, wrong):
    write(root / "train" / NAME, name, "0", wrong, "0")
    with pytest.raises(InputError, match=f"{name}, line 2: expected an integer from 0 to"):
        got10k(root, "train")


@pytest.mark.parametrize("name", ["cover.label", "absence.label"])
def test_labels_and_frames_match(root, name):
    write(root / "train" / NAME, name, "0", "0")
    with pytest.raises(InputError, match=f"{name}: has 2 labels for 3 frames"):
        got10k(root, "train")
    (root / "train" / NAME / name).unlink()
    with pytest.raises(InputError, match=f"{name}: no such file"):
        got10k(root, "train")


def test_meta_info_is_keys_and_values(root):
    write(root / "train" / NAME, "meta_info.ini", "[METAINFO]", "resolution")
    with pytest.raises(InputError, match='meta_info.ini, line 2: expected "key: value"'):
        got10k(root, "train")


def test_bytes_that_are_no_text_are_refused(root):
    (root / "train" / NAME / "groundtruth.txt").write_bytes(b"\xff\xfe1\x00")
    with pytest.raises(InputError, match="groundtruth.txt: cannot be read"):
        got10k(root, "train")


def test_a_truncated_frame_is_named_when_it_is_read(root):
    path = root / "train" / NAME / "00000002.jpg"
    path.write_bytes(path.read_bytes()[:400])
    (video,) = got10k(root, "train")
    video.frame(0)
    with pytest.raises(InputError, match="00000002.jpg: not a readable image") as error:
        video.frame(1)
    assert "\n" not in str(error.value)
