"""What b2nn-compile says of a library: its bytes, its kernels, and what the passes did."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from b2nn_tvm.deploy.library.sizes import PARTS
from tests.support.cli.commands import Run
from tests.support.networks.onnx_models import model, save
from tests.support.passes.relax_functions import random_signs


def cells(text: str) -> list[list[str]]:
    """The rows of all tables of a text."""
    return [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in text.splitlines()]


def test_the_bytes_of_the_table_are_those_of_the_file(here: Run, small_onnx: Path, tmp_path: Path) -> None:
    done = here("compile", small_onnx, "-o", "out", "--no-verify")
    assert done.returncode == 0, done.stderr
    rows = cells(done.stdout)
    start = rows.index(["part", "bytes", "share"]) + 2
    table = {row[0]: int(row[1].replace(",", "")) for row in rows[start : start + len(PARTS) + 1]}
    total = table.pop("libb2nn_model.so, all of it")
    assert list(table) == list(PARTS.values())
    assert sum(table.values()) == total == (tmp_path / "out" / "libb2nn_model.so").stat().st_size


def test_explain_says_what_was_fused_and_what_was_decided(here: Run, small_onnx: Path) -> None:
    done = here("compile", small_onnx, "-o", "out", "--no-verify", "--explain", "--target", "x86")
    assert done.returncode == 0, done.stderr
    rows = cells(done.stdout)
    kernels = {row[1]: row[2] for row in rows if len(row) > 4 and row[0].isdigit()}
    assert kernels["stem"] == "conv2d + pack for block"
    assert kernels["block"] == "binary conv2d"
    assert kernels["fc"] == "dense"
    decided = {tuple(row[:3]): row[3] for row in rows if len(row) == 4}
    assert decided["stem", "ClassifyConvs", "left"].startswith("stays float: its input is not a sign")
    assert decided["block", "ClassifyConvs", "done"] == "is binary"
    assert decided["block", "CanonicalizeSign", "done"].startswith("a comparison")
    assert decided["block", "FusePack", "done"] == "the packing of its input is part of stem"
    assert "direct convolution: it has fewer than 16 channels" in decided["stem", "LowerConv2d", "done"]


def test_a_note_says_what_became_of_the_signs(here: Run, tmp_path: Path) -> None:
    nodes = "a = Conv (input, f) {} output = Conv (s, v)"
    constants = {
        "f": np.linspace(-1, 1, 288, dtype=np.float32).reshape(8, 4, 3, 3),
        "v": random_signs((4, 8, 3, 3)),
        "w": random_signs((8, 8, 1, 1)),
    }
    for between, said in (
        ("s = Sign (a)", "note: the sign in front of 1 layer is 0 at 0 in the file, and +1 here"),
        ("b = Conv (a, w) s = HardSigmoid (b)", "note: 2 convolutions have weights of two values, but no sign"),
    ):
        save(tmp_path, model(nodes.format(between), constants), "net.onnx")
        done = here("compile", "net.onnx", "-o", "out", "--no-verify")
        assert done.returncode == 0 and said in done.stderr, done.stderr


def test_a_note_says_that_nothing_is_binary_and_what_to_do(here: Run, tmp_path: Path) -> None:
    filters = np.linspace(-1, 1, 288, dtype=np.float32).reshape(8, 4, 3, 3)
    save(tmp_path, model("output = Conv (input, f)", {"f": filters}), "net.onnx")
    done = here("compile", "net.onnx", "-o", "out", "--no-verify")
    assert done.returncode == 0
    assert "note: net.onnx has no binary layers, so all of it is computed in float" in done.stderr
    assert "b2nn-profile net.onnx --what-if says" in done.stderr
