"""The figures at the top of the page, and the sentence under them."""

from __future__ import annotations

from dataclasses import replace

from b2nn_tvm.loop.front.measure_front import FrontPoint
from b2nn_tvm.loop.results.result import AchievedBudget, SearchResult
from b2nn_tvm.loop.results.tiles import next_step, sentence, tiles


def test_the_figures_are_time_accuracy_size_and_device(result: SearchResult) -> None:
    time, accuracy, size, device = tiles(result)
    assert (time.value, time.remarks, time.status) == ("1.9 ms", ("of 2 ms ✓", "1.6x as fast as float"), "kept")
    assert (accuracy.value, accuracy.remarks) == ("95.0 %", ("float 97.0 %", "not told apart"))
    assert (size.value, size.remarks) == ("2 KiB", ("2.0x smaller",))
    assert (device.value, device.remarks) == ("A CPU", ("1 thread, avx2", "quiet in 9 of 12 bursts"))


def test_a_budget_in_another_unit_has_a_figure_of_its_own(result: SearchResult) -> None:
    both = replace(result, further=(AchievedBudget("flops", 2e6, 2.5e6),))
    operations = tiles(both)[3]
    assert (operations.name, operations.value) == ("Operations", "2.50 MFLOPs")
    assert (operations.remarks, operations.status) == (("of 2.00 MFLOPs exceeded",), "over")
    alone = replace(result, unit="bytes", limit=2048, predicted=1024, achieved=1024)
    assert [tile.name for tile in tiles(alone)] == ["Time", "Accuracy", "Library", "Parameters", "Device"]
    assert tiles(alone)[0].remarks == ("1.6x as fast as float",) and tiles(alone)[0].status == ""


def test_an_interval_around_the_limit_is_not_told_apart(result: SearchResult) -> None:
    close = replace(result, limit=1.91)
    assert tiles(close)[0].remarks[0] == "of 1.91 ms not told apart" and tiles(close)[0].status == "not told apart"
    assert "measure more precisely (--precision 0.5%), or allow 1.92 ms" in next_step(close)


def test_the_sentence_says_what_was_gained_what_was_lost_and_what_is_next(result: SearchResult) -> None:
    text = sentence(result)
    assert text.startswith(
        "With 1 of 2 eligible layers binary, the network is 1.6x as fast as all float and 2.0x smaller"
    )
    assert "its accuracy is not told apart from the float network's (2 of 8 test images lost, 0 gained)" in text
    assert text.endswith("; to try next: --front 6, which says what other budgets would cost.")


def test_layers_of_several_precisions_are_counted_by_precision(beside: SearchResult) -> None:
    rows = tuple(replace(each, binary=("block.conv1", "block.conv2@int8")) for each in beside.rows[:2])
    told = sentence(replace(beside, rows=rows))
    assert told.startswith("With 2 of 2 eligible layers in fewer bits (1 binary, 1 int8), the network is")
    assert told.endswith("; to try next: a tighter budget from the front below.")


def test_a_loss_that_chance_does_not_make_is_given_in_points(result: SearchResult) -> None:
    worse = replace(result, answers=replace(result.answers, lost=3, gained=1, p=0.01))
    assert "its accuracy is 25.0 points lower (3 of 8 test images lost, 1 gained)" in sentence(worse)
    assert next_step(worse) == "to try next: longer fine-tuning, such as --epochs 8"
    better = replace(result, answers=replace(result.answers, lost=1, gained=3, p=0.01))
    assert "25.0 points higher" in sentence(better) and "fine-tuning" not in next_step(better)


def test_a_time_whose_interval_meets_the_float_networks_is_not_called_faster(result: SearchResult) -> None:
    wide = replace(result, time=replace(result.time, high_ms=3.05), limit=4.0)
    assert "the network is not told apart from all float in time" in sentence(wide)


def test_what_is_next_depends_on_what_was_done(result: SearchResult) -> None:
    assert "--front 6" in next_step(result)
    assert "--compare 5" in next_step(replace(result, rows=result.rows[:3]))
    point = FrontPoint((), 0.0, 3.1, 3.0, 3.2)
    assert "a tighter budget" in next_step(replace(result, front=(point,)))
    assert "allow at least 2.1 ms" in next_step(replace(result, achieved=2.1))
