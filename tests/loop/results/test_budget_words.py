"""What is said of budgets, and of whether they are kept."""

from __future__ import annotations

from dataclasses import replace

from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.results import report
from b2nn_tvm.loop.results.budget_words import broken_budgets, heading
from b2nn_tvm.loop.results.report_lines import lines
from b2nn_tvm.loop.results.result import AchievedBudget, SearchResult


def test_every_budget_has_a_line_and_all_of_them_have_to_be_kept(result: SearchResult) -> None:
    both = replace(result, further=(AchievedBudget("bytes", 4096, 3072),))
    assert lines(both)[:2] == [
        "budget 2 ms: achieved 1.9 ms (kept, 5.0% to spare)",
        "budget 4.0 KiB of parameters: achieved 3.0 KiB (kept, 25.0% to spare)",
    ]
    assert report.document(both)["within_budget"] is True
    assert report.document(replace(both, further=(AchievedBudget("bytes", 2048, 3072),)))["within_budget"] is False


def test_a_heading_says_what_bytes_are_of(result: SearchResult) -> None:
    both = replace(result, budget="2ms and 4KiB", further=(AchievedBudget("bytes", 4096, 3072),))
    assert heading(both) == "<net> within 2ms and 4KiB of parameters"
    alone = replace(result, budget="4KiB", unit="bytes", limit=4096, achieved=3072)
    assert heading(alone) == "<net> within 4KiB of parameters"


def test_a_broken_budget_is_said_everywhere(result: SearchResult) -> None:
    """A time over the limit and one whose interval holds the limit are two different things; neither is "kept"."""
    assert broken_budgets(result) is None and heading(result) == "<net> within 2ms"
    over = replace(result, achieved=2.1)
    assert over.status == report.document(over)["status"] == "over" and not over.within_budget
    assert heading(over) == "<net> over the budget of 2ms"
    assert broken_budgets(over) == (
        "the network does not keep the budget for certain: 2 ms: achieved 2.1 ms (exceeded by 5.0%)"
    )
    time = NetworkTime(("block.conv2",), 1.9, 0.1, 100, 1, "here", "avx2", (), low_ms=1.7, high_ms=2.1)
    close = replace(result, time=time)
    assert close.status == report.document(close)["status"] == "not told apart" and not close.within_budget
    assert heading(close) == "<net> not told apart from 2ms"
    assert "5.0% to spare, but its 95 % interval reaches to 2.1 ms, over the budget" in str(broken_budgets(close))
    report.write(over)
    assert '<h1 class="over">&lt;net&gt; over the budget of 2ms</h1>' in (over.folder / "report.html").read_text(
        encoding="utf-8"
    )
