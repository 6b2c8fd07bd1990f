import numpy as np
import pytest
import torch

from b2nn_tvm import data
from b2nn_tvm.errors import InputError


def arrays(count=40, shape=(8, 8, 3), dtype=np.uint8, splits=("train", "val", "test")):
    source = np.random.default_rng(0)
    made = {}
    for split in splits:
        pixels = source.integers(0, 256, (count, *shape))
        made[f"x_{split}"] = pixels.astype(dtype) if dtype == np.uint8 else (pixels / 255).astype(dtype)
        made[f"y_{split}"] = np.arange(count) % 4
    return made


def write(tmp_path, content):
    np.savez(tmp_path / "set.npz", **content)
    return tmp_path / "set.npz"


@pytest.mark.parametrize("shape", [(8, 8, 3), (3, 8, 8), (8, 8, 1), (8, 8)])
def test_layouts_are_recognized(tmp_path, shape):
    content = arrays(shape=shape)
    bundle = data.get(str(write(tmp_path, content)))
    channels = 3 if 3 in shape else 1
    assert bundle.input_shape == (channels, 8, 8) and bundle.classes == 4 and bundle.name == "set"
    restored = bundle.test.images * torch.tensor(bundle.std)[:, None, None] + torch.tensor(bundle.mean)[:, None, None]
    expected = (
        content["x_test"].reshape(40, 8, 8, -1) if shape != (3, 8, 8) else content["x_test"].transpose(0, 2, 3, 1)
    )
    assert np.allclose(restored.permute(0, 2, 3, 1) * 255, expected, atol=1e-2)
    assert np.array_equal(bundle.test.labels, content["y_test"])
    pixels = bundle.preprocess.denormalized(bundle.test.images.numpy())
    assert np.array_equal(pixels, expected)
    assert np.array_equal(bundle.preprocess.normalized(pixels), bundle.test.images)  # to the last bit


def test_training_images_have_mean_0_and_deviation_1_per_channel(tmp_path):
    images = data.npz(write(tmp_path, arrays())).train.images
    assert torch.allclose(images.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(images.std(dim=(0, 2, 3), correction=0), torch.ones(3), atol=1e-4)


@pytest.mark.parametrize("given", ["val", "test"])
def test_a_missing_split_is_held_out_of_training(tmp_path, given):
    content = arrays(splits=("train", given))
    bundle = data.npz(write(tmp_path, content))
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [36, 4, 40]
    assert np.array_equal(bundle.test.labels, content[f"y_{given}"])
    rows = {image.numpy().tobytes() for image in bundle.train.images}
    assert not rows & {image.numpy().tobytes() for image in bundle.val.images}


def test_floats_and_column_labels_are_taken_as_they_are(tmp_path):
    content = arrays(dtype=np.float32)
    content["y_train"] = content["y_train"][:, None]
    bundle = data.npz(write(tmp_path, content))
    assert torch.allclose(bundle.train.images.mean(), torch.tensor(0.0), atol=1e-5)
    assert bundle.preprocess is None  # which value is white is not known
    assert not bundle.train.augmented


def test_the_file_may_name_the_classes(tmp_path):
    names = np.array(["ant", "bee", "cow", "dog", "eel"])
    bundle = data.npz(write(tmp_path, arrays() | {"class_names": names}))
    assert bundle.class_names == ("ant", "bee", "cow", "dog", "eel")
    assert data.npz(write(tmp_path, arrays())).class_names == ("0", "1", "2", "3")


def edit(**changes):
    return {name: value for name, value in (arrays() | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (edit(x_train=None), "expected x_train"),
        (edit(y_val=None), "x_val has no labels beside it, such as y_val"),
        (edit(train_images=np.zeros(1)), "both x_train and train_images would be x_train"),
        (edit(y_val=np.zeros(39, int)), r"y_val should be one label for each.*\[39\] and \[40, 8, 8, 3\]"),
        (edit(y_val=np.full(40, -1)), "whole numbers from 0"),
        (edit(x_val=np.zeros((40, 8, 8, 5), np.uint8)), "1 or 3 channels"),
        (edit(x_val=np.zeros((40, 9, 9, 3), np.uint8)), "differ in shape"),
        (edit(x_val=np.full((40, 8, 8, 3), np.nan)), "not finite"),
        (edit(x_val=np.array([{}] * 40)), "cannot be read.*allow_pickle"),
        (edit(x_val=np.zeros((40, 8, 8, 3), np.float32)), "differ in type: float32, uint8"),
        (edit(class_names=np.array(["a", "b", "c"])), "text for each of the 4 classes"),
        (edit(class_names=np.arange(4)), "text for each of the 4 classes.*int64"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        data.npz(write(tmp_path, content))


@pytest.mark.parametrize("spelling", ["{split}_images {split}_labels", "X_{split} Y_{split}", "{split}X {split}Y"])
def test_other_names_of_the_arrays_are_understood(tmp_path, spelling):
    """Those of MedMNIST, of scikit-learn, and of Keras without its underscore; labels are [N, 1]."""
    content = arrays()
    named = {}
    for split in ("train", "val", "test"):
        image, label = spelling.format(split=split).split()
        named |= {image: content[f"x_{split}"], label: content[f"y_{split}"][:, None]}
    bundle, plain = data.npz(write(tmp_path, named)), data.npz(write(tmp_path, content))
    assert bundle.digest == plain.digest and len(bundle.train) == 40


@pytest.mark.parametrize(("images", "labels"), [("x", "y"), ("images", "labels"), ("data", "target")])
def test_a_set_in_no_splits_is_split(tmp_path, images, labels):
    content = arrays(count=100, splits=("train",))
    bundle = data.npz(write(tmp_path, {images: content["x_train"], labels: content["y_train"]}))
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [72, 8, 20]
    assert np.array_equal(np.bincount(bundle.test.labels), [5] * 4)
    rows = [image.numpy().tobytes() for split in (bundle.train, bundle.val, bundle.test) for image in split.images]
    assert len(set(rows)) == 100


def test_a_folder_of_npy_files_is_the_same_set(tmp_path):
    content = arrays()
    (tmp_path / "set").mkdir()
    for name, array in content.items():
        np.save(tmp_path / "set" / f"{name}.npy", array)
    assert data.get(str(tmp_path / "set")).digest == data.npz(write(tmp_path, content)).digest
    with pytest.raises(InputError, match="one array: give its folder"):
        data.get(str(tmp_path / "set" / "x_train.npy"))


def test_wrong_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        data.npz(tmp_path / "missing.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(InputError, match="cannot be read"):
        data.npz(tmp_path / "text.npz")
