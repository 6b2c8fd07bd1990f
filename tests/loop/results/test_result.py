"""What a result says of the chosen network, and how far its prediction was off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.loop.results.result import SearchResult
from tests.support.networks.onnx_models import model, save


def test_the_row_is_the_chosen_networks(result: SearchResult) -> None:
    assert (result.row.name, result.row.binary, result.accuracy) == ("mixed", ("block.conv1",), 0.95)
    assert replace(result, rows=result.rows[::-1]).row == result.row


def test_rows_and_candidates_are_found(result: SearchResult) -> None:
    assert result.float_row.role == "float" and result.float_row.accuracy == 0.97
    twice = replace(result, rounds=result.rounds * 2)
    assert twice.attempts == result.rounds[0].attempts * 2


def test_the_prediction_is_off_by_a_share_of_the_measured_time(result: SearchResult) -> None:
    assert result.prediction_error == pytest.approx(1.8 / 1.9 - 1)
    assert replace(result, predicted=3.8).prediction_error == pytest.approx(1.0)


def test_without_a_time_there_is_no_error_of_one(result: SearchResult) -> None:
    assert replace(result, measured_ms=None).prediction_error is None
    assert replace(result, unit="bytes", predicted=300).prediction_error is None


def test_the_first_library_is_the_one_that_is_loaded(result: SearchResult, tmp_path: Path) -> None:
    path = save(tmp_path, model("output = Relu (input)", {}, inputs="float[1,4] input", outputs="float[1,4] output"))
    compile_model(path, output=tmp_path / "native", verify=False)
    x = np.array([[-1, 0, 2, -3]], np.float32)
    with replace(result, libraries={"native": tmp_path / "native", "arm": tmp_path / "nothing"}).load() as artifact:
        np.testing.assert_array_equal(artifact.run({"input": x})["output"], [[0, 0, 2, 0]])


def test_it_is_a_line_when_it_is_printed(result: SearchResult) -> None:
    assert repr(result) == (
        f"<SearchResult <net>: kept 2ms, 1.9 ms, accuracy 95.00 %, 1 of 2 layers binary, in {result.folder}>"
    )
    assert repr(result.plan) == "<Plan of <net>: 1 of 3 layers in fewer bits, mixbin-loss, budget 2ms>"
