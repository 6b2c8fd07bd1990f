"""b2nn-run prints the best classes, with their names where it is given a file of them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from b2nn_tvm.deploy.library.build_library import build_library
from tests.support.deploy.handmade import N, expected, program
from tests.support.deploy.runner_process import refused, start


def best(done: subprocess.CompletedProcess) -> list[tuple[int, float, str]]:
    rows = re.findall(r"^ *\d+\. class (\d+) +(\S+)(?:  (.*))?$", done.stdout, re.MULTILINE)
    assert len(rows) == len(done.stdout.splitlines())
    return [(int(index), float(score), label) for index, score, label in rows]


def test_the_best_classes_are_printed(net, x, tmp_path):
    x.tofile(tmp_path / "x.f32")
    done = start(net, "--input", tmp_path / "x.f32", "--top", 7)
    scores = (expected(x) + 1)[0]
    order = np.argsort(-scores, kind="stable")[:7]
    assert [index for index, _, _ in best(done)] == order.tolist()
    assert [score for _, score, _ in best(done)] == pytest.approx(scores[order], abs=1e-5)
    assert done.stderr == ""


def test_ties_keep_their_order_and_what_is_no_number_comes_last(net, x, tmp_path):
    x[:] = np.nan
    x[0, [3, 500, 999]] = 0
    x.tofile(tmp_path / "x.f32")
    rows = best(start(net, "--input", tmp_path / "x.f32", "--top", 1_000_000))
    assert [index for index, _, _ in rows] == [3, 500, 999] + [i for i in range(N) if i not in (3, 500, 999)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_labels_name_them(net, x, tmp_path, end, last):
    x.tofile(tmp_path / "x.f32")
    text = end.join(f"class no. {i}, é" for i in range(N)) + (end if last else "")
    (tmp_path / "labels.txt").write_bytes(text.encode())
    rows = best(start(net, "--input", tmp_path / "x.f32", "--labels", tmp_path / "labels.txt"))
    assert len(rows) == 5
    assert all(label == f"class no. {index}, é" for index, _, label in rows)


def test_labels_must_fit(net, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\n")
    message = "expected a line for each of the 1000 classes, but the file has 2"
    assert refused(net, "--labels", labels) == f"error: {labels}: {message}"
    none = tmp_path / "none"
    assert refused(net, "--labels", none) == f"error: {none}: cannot open the file of labels: No such file or directory"


def test_other_outputs_are_no_classes(workshop, x):
    base = program("shift_one")
    image = replace(base, outputs=(replace(base.outputs[0], shape=(1, 10, 10, 10)), base.outputs[1]))
    build_library(image, [workshop.kernels()], workshop.target(), workshop.folder / "image")
    done = start(workshop.folder / "image")
    assert done.stdout == "no output is one row of float32 scores; --output FILE writes the values\n"
    batch = replace(base, outputs=(replace(base.outputs[0], shape=(4, 250, 1, 1)), base.outputs[1]))
    build_library(batch, [workshop.kernels()], workshop.target(), workshop.folder / "batch")
    lines = start(workshop.folder / "batch", "--top", 2).stdout.splitlines()
    assert [line for line in lines if "class" not in line] == [f"image {i}" for i in range(4)]
    assert len(lines) == 12


def test_without_an_input_it_says_so(net):
    done = start(net)
    assert done.returncode == 0
    assert len(best(done)) == 5
    assert done.stderr == "note: no --input, so the classes are those of a fixed pattern\n"
