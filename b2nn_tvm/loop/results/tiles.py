"""The few figures at the top of report.html, and the sentence under them."""

from __future__ import annotations

from dataclasses import dataclass

from b2nn_tvm.costs.budget import quantile_word
from b2nn_tvm.loop.results.budget_words import amount
from b2nn_tvm.loop.results.report_lines import counted
from b2nn_tvm.loop.results.result import AchievedBudget, SearchResult
from b2nn_tvm.loop.results.tables import threads_words
from b2nn_tvm.words.number_of import number_of

# Status of a budget -> the word behind the limit.
VERDICTS = {"kept": "✓", "over": "exceeded", "not told apart": "not told apart"}


@dataclass(frozen=True)
class Tile:
    """A figure: what it is, its value, and remarks; ``status`` is that of a budget, empty where it is about none."""

    name: str
    value: str
    remarks: tuple[str, ...]
    status: str = ""


def tiles(result: SearchResult) -> list[Tile]:
    """Time, accuracy, size, budgets in other units, and the device with how quiet it was."""
    budgets = {budget.unit: budget for budget in result.budgets}
    found = [_time(result, budgets.get("ms")), _accuracy(result), _size(result)]
    counted = (budget for unit, budget in budgets.items() if unit != "ms")
    found += [
        Tile(
            "Parameters" if each.unit == "bytes" else "Operations",
            amount(each.achieved, each.unit),
            (_limit(each),),
            each.status,
        )
        for each in counted
    ]
    return [*found, _device(result)]


def sentence(result: SearchResult) -> str:
    """What was gained, what was lost, and what to try next, in one sentence."""
    return f"{_gained(result)}, and {_lost(result)}; {next_step(result)}."


def next_step(result: SearchResult) -> str:
    """What to try next, in a clause."""
    over = next((each for each in result.budgets if each.status == "over"), None)
    if over is not None:
        return f"to try next: allow at least {amount(over.achieved, over.unit)}, or search without the plan"
    close = next((each for each in result.budgets if each.status == "not told apart"), None)
    if close is not None:
        return (
            "to try next: measure more precisely (--precision 0.5%), or allow"
            f" {amount(close.upper, close.unit)}, which this network keeps for certain"
        )
    answers, origin = result.answers, result.origin
    if answers is not None and origin is not None and answers.differs and answers.lost > answers.gained:
        return f"to try next: longer fine-tuning, such as --epochs {max(2 * origin.epochs, 8)}"
    if result.is_binary and not any(row.role == "random" for row in result.rows):
        return "to try next: --compare 5, which says whether this choice of layers is better than chance"
    if not (result.front or result.fronts):
        return "to try next: --front 6, which says what other budgets would cost"
    return "to try next: a tighter budget from the front below"


def _gained(result: SearchResult) -> str:
    which = "" if result.is_binary or not result.row.binary else f" ({counted(result.row.binary)})"
    layers = f"{len(result.row.binary)} of {result.choosing} eligible layers {result.fewer_bits}{which}"
    count = f"With {layers}, the network is"
    smaller = f"{_times(result.float_row.size_bytes / result.row.size_bytes)} smaller"
    if not result.float_row.measured_ms or not result.measured_ms:
        return f"{count} {smaller}"
    faster = f"{_times(result.float_row.measured_ms / result.measured_ms)} as fast as all float"
    low = min((end.low_ms for end in result.ends[:1]), default=result.float_row.measured_ms)
    if result.time is not None and result.quantile is None and result.time.high_ms >= low:
        faster = "not told apart from all float in time"
    return f"{count} {faster} and {smaller}"


def _lost(result: SearchResult) -> str:
    if result.answers is None:
        return f"its accuracy is {100 * result.accuracy:.1f} % in place of {100 * result.float_row.accuracy:.1f} %"
    answers = result.answers
    counts = f"{answers.lost} of {number_of(answers.images, 'test image')} lost, {answers.gained} gained"
    if not answers.differs:
        return f"its accuracy is not told apart from the float network's ({counts})"
    points = 100 * (answers.gained - answers.lost) / answers.images
    return f"its accuracy is {abs(points):.1f} points {'higher' if points > 0 else 'lower'} ({counts})"


def _time(result: SearchResult, budget: AchievedBudget | None) -> Tile:
    ms = result.measured_ms
    remarks = [] if budget is None else [_limit(budget)]
    if ms and result.float_row.measured_ms:
        remarks.append(f"{_times(result.float_row.measured_ms / ms)} as fast as float")
    name = "Time" if result.quantile is None else f"Time at {quantile_word(result.quantile)}"
    return Tile(name, "-" if ms is None else f"{ms:.4g} ms", tuple(remarks), "" if budget is None else budget.status)


def _accuracy(result: SearchResult) -> Tile:
    accuracy = result.accuracy if result.library_accuracy is None else result.library_accuracy
    remarks = [f"float {100 * result.float_row.accuracy:.1f} %"]
    if result.answers is not None and not result.answers.differs:
        remarks.append("not told apart")
    return Tile("Accuracy", f"{100 * accuracy:.1f} %", tuple(remarks))


def _size(result: SearchResult) -> Tile:
    ratio = result.float_row.size_bytes / result.row.size_bytes
    return Tile("Library", f"{result.row.size_bytes / 1024:.0f} KiB", (f"{_times(ratio)} smaller",))


def _device(result: SearchResult) -> Tile:
    remarks = [f"{threads_words(result)}, {result.isa}"]
    if result.time is not None:
        quiet, bursts = result.time.quiet, result.time.bursts
        remarks.append(f"quiet in {quiet} of {number_of(bursts, 'burst')}" if quiet < bursts else "quiet throughout")
    return Tile("Device", result.device, tuple(remarks))


def _limit(budget: AchievedBudget) -> str:
    return f"of {amount(budget.limit, budget.unit)} {VERDICTS[budget.status]}"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}x" if ratio < 10 else f"{ratio:.0f}x"
