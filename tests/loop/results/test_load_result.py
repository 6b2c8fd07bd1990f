"""The result of an earlier search is read from its folder as it was."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.loop.front.measure_front import FrontPoint
from b2nn_tvm.loop.results import report
from b2nn_tvm.loop.results.load_result import load_result
from b2nn_tvm.loop.results.page import page
from b2nn_tvm.loop.results.result import SearchResult
from b2nn_tvm.preprocess import Preprocess


@pytest.fixture
def written(result: SearchResult) -> SearchResult:
    result.plan.save(result.folder / "plan.json")
    report.write(result)
    return result


def test_it_is_the_result_that_was_written(written: SearchResult) -> None:
    found = load_result(written.folder)
    assert report.document(found) == report.document(written)
    assert found.rows == written.rows and found.plan == written.plan and found.libraries == written.libraries
    assert found.status == written.status and found.conversion == written.conversion


def test_what_json_cannot_say_is_there_again(written: SearchResult) -> None:
    point = FrontPoint(("block.conv1",), 0.1, 2.4, math.nan, math.nan)
    report.write(replace(written, front=(point,), random_ms=Interval(1.9, math.inf, 1), further=written.budgets))
    found = load_result(written.folder)
    assert math.isnan(found.front[0].low_ms) and found.front[0].ms == 2.4
    assert found.further[0].limit == written.limit


def test_fronts_of_precisions_are_there_again(written: SearchResult, beside: SearchResult) -> None:
    _, page_file = report.write(beside)
    found = load_result(written.folder)
    assert found.fronts == beside.fronts and found.scores == beside.scores
    text = page_file.read_text()
    assert "Fronts of precisions" in text and "layers, all precisions" in text and 'class="fronts"' in text


def test_what_the_data_mean_is_there_again(written: SearchResult) -> None:
    photo = Preprocess.covering((3, 8, 8), (0.5, 0.4, 0.3), (0.2,) * 3)
    report.write(replace(written, preprocess=photo, labels=("cat", "dog")))
    found = load_result(written.folder)
    assert (found.preprocess, found.labels) == (photo, ("cat", "dog"))


def test_the_page_can_be_made_again(written: SearchResult) -> None:
    found = load_result(written.folder)
    assert page(found) == page(written)
    assert found.answers == written.answers and found.origin == written.origin and found.rounds == written.rounds
    assert math.isnan(found.layers[0].harm) and found.layers[1:] == written.layers[1:]


def test_a_folder_may_move(written: SearchResult, tmp_path: Path) -> None:
    place = Path(shutil.copytree(written.folder, tmp_path / "elsewhere"))
    found = load_result(str(place))
    assert found.folder == place and found.libraries["native"] == place / "native"


def test_what_is_no_result_is_refused(written: SearchResult, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no report.json; expected the output folder of a finished search"):
        load_result(tmp_path / "nothing")
    with pytest.raises(InputError, match=f"; give {written.folder}$"):
        load_result(written.folder / "report.json")
    path = written.folder / "report.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"rows": [', '"rows": [3, '), encoding="utf-8")
    with pytest.raises(InputError, match="this is no result of a search"):
        load_result(written.folder)


def test_what_is_no_path_is_refused() -> None:
    with pytest.raises(InputError, match="^folder: expected a path, but got None; name the output folder of a search$"):
        load_result(None)  # type: ignore[arg-type]
