"""b2nn-run reads and writes tensors in files, and names what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.deploy.handmade import N, expected
from tests.support.deploy.runner_process import output_words, refused, start


@pytest.fixture
def outputs(tmp_path) -> tuple[Path, Path]:
    return tmp_path / "out.npy", tmp_path / "tasks.npy"


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_goes_in_and_out(net, x, tmp_path, outputs, version):
    with open(tmp_path / "x.npy", "wb") as file:
        np.lib.format.write_array(file, x, version=version)
    done = start(net, "--input", tmp_path / "x.npy", *output_words(outputs))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    result, tasks = map(np.load, outputs)
    np.testing.assert_array_equal(result, expected(x) + 1)
    assert (result.shape, result.dtype, tasks.shape, tasks.dtype, int(tasks)) == ((1, N), "float32", (), "int32", 1)
    raw = outputs[0].read_bytes()
    assert (raw[:8], raw[127:128]) == (b"\x93NUMPY\x01\x00", b"\n")  # the values start on a multiple of 64


def test_raw_values_go_in_and_out(net, x, tmp_path):
    x.tofile(tmp_path / "x.f32")
    words = output_words([tmp_path / "out", tmp_path / "tasks"])
    assert start(net, "--input", tmp_path / "x.f32", "--threads", 3, *words).returncode == 0
    np.testing.assert_array_equal(np.fromfile(tmp_path / "out", "float32")[None], expected(x) + 1)
    assert np.fromfile(tmp_path / "tasks", "int32") == [3]


def test_a_row_has_no_order(net, x, tmp_path, outputs):
    np.save(tmp_path / "x.npy", np.asfortranarray(x))
    assert start(net, "--input", tmp_path / "x.npy", *output_words(outputs)).returncode == 0
    np.testing.assert_array_equal(np.load(outputs[0]), expected(x) + 1)


WRONG = {
    "float64": (
        np.zeros((1, N)),
        'input input takes float32, the file holds float64; convert it with .astype("float32")',
    ),
    "big-endian": (np.zeros((1, N), ">f4"), "input input takes float32, the file holds >f4; convert"),
    "no numbers": (np.zeros(N, [("a", "f4")]), "the values of this .npy file are no plain numbers"),
    "one axis": (np.zeros(N, "f4"), "input input takes shape 1x1000, the file holds 1000"),
    "an axis more": (np.zeros((1, N, 1), "f4"), "input input takes shape 1x1000, the file holds 1x1000x1"),
    "another extent": (np.zeros((2, N), "f4"), "input input takes shape 1x1000, the file holds 2x1000"),
    "a scalar": (np.zeros((), "f4"), "input input takes shape 1x1000, the file holds scalar"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arrays_are_named(net, tmp_path, case):
    array, message = WRONG[case]
    np.save(tmp_path / "x.npy", array)
    assert refused(net, "--input", tmp_path / "x.npy").startswith(f"error: {tmp_path / 'x.npy'}: {message}")


def npy(array: np.ndarray) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {array.shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + array.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-1], "input input takes 4000 bytes (float32, 1x1000), the file holds fewer"),
        (lambda b: b + b"\0", "input input takes 4000 bytes (float32, 1x1000), the file holds more"),
        (lambda b: b[:30], "the file ends within the header"),
        (lambda b: b[:7], "a version of the .npy format that this program does not know"),
        (lambda b: b[:6] + b"\x09" + b[7:], "a version of the .npy format that this program does not know"),
        (lambda b: b[:6] + b"\x02\x00" + b"\xff" * 4 + b[12:], "the header of this .npy file is damaged"),
        (lambda b: b.replace(b"'shape'", b"'shame'"), "the header of this .npy file is damaged"),
        (lambda b: b.replace(b"(1, 1000)", b"(1, lots)"), "input input takes shape 1x1000, the file holds 1"),
        (lambda b: b.replace(b": False", b": True "), "the values of this .npy file are in column-major order"),
        (lambda b: b[8:], "this is no .npy file; raw values need another ending"),
        (lambda b: b"", "this is no .npy file; raw values need another ending"),
    ],
)
def test_damaged_files_are_named(net, x, tmp_path, change, message):
    (tmp_path / "x.npy").write_bytes(change(npy(x)))
    assert refused(net, "--input", tmp_path / "x.npy").startswith(f"error: {tmp_path / 'x.npy'}: {message}")


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff\xe0", "JPEG"), (b"P6\n8 8\n255\n", "PPM"), (b"GIF89a", "GIF")],
)
def test_a_picture_is_no_file_of_values(net, tmp_path, head, kind):
    """Nor does its name matter: values may have any ending, and may begin like a picture."""
    (tmp_path / "x.png").write_bytes(head + bytes(500))
    assert refused(net, "--input", tmp_path / "x.png") == (
        f"error: {tmp_path / 'x.png'}: this is a {kind} picture, but --input takes values as they lie in memory"
        " (float32, 1x1000); give the picture without --input"
    )
    (tmp_path / "x.png").write_bytes((head + bytes(4000))[:4000])
    assert start(net, "--input", tmp_path / "x.png").returncode == 0


def test_files_that_are_not_there_are_named(net, x, tmp_path):
    none = tmp_path / "none" / "x"
    assert (
        refused(net, "--input", none)
        == f"error: {none}: cannot open this file for input input: No such file or directory"
    )
    outputs = output_words([none, tmp_path / "tasks"])
    assert (
        refused(net, *outputs) == f"error: {none}: cannot open this file for output output: No such file or directory"
    )
    full = output_words(["/dev/full", tmp_path / "tasks"])
    assert refused(net, *full) == "error: /dev/full: cannot write output output: No space left on device"
