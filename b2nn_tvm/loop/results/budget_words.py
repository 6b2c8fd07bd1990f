"""Budgets in words: the amount, what was achieved of it, and whether the network keeps it."""

from __future__ import annotations

from b2nn_tvm.costs.budget import quantile_word
from b2nn_tvm.loop.results.result import AchievedBudget, SearchResult


def heading(result: SearchResult) -> str:
    """The network and its budget, and whether it is kept, in a few words."""
    words = {"kept": "within", "not told apart": "not told apart from", "over": "over the budget of"}
    return f"{result.model} {words[result.status]} {_as_typed(result)}"


def broken_budgets(result: SearchResult) -> str | None:
    """A sentence on the budgets that the network does not keep for certain, None where it keeps all of them."""
    broken = [each for each in result.budgets if each.status != "kept"]
    if not broken:
        return None
    found = "; ".join(map(achieved_words, broken))
    return f"the network does not keep the budget for certain: {found}"


def achieved_words(budget: AchievedBudget) -> str:
    """A budget, what the network needs of it, and whether that keeps it."""
    return f"{limit_words(budget)}: achieved {amount(budget.achieved, budget.unit)} ({_verdict(budget)})"


def limit_words(budget: AchievedBudget) -> str:
    """A budget as an amount, with the quantile of the observed times that it is about, if it is about one.

    Bytes are those of the parameters; a library also holds its code.
    """
    return f"{amount(budget.limit, budget.unit)}{at_words(budget.quantile)}{_of_parameters(budget.unit)}"


def amount(value: float, unit: str) -> str:
    """An amount of milliseconds, FLOPs or bytes with its unit."""
    if unit == "ms":
        return f"{value:.4g} ms"
    return f"{value / 1024:.1f} KiB" if unit == "bytes" else f"{value / 1e6:.2f} MFLOPs"


def at_words(quantile: float | None) -> str:
    """ " at p90" for 0.9, and nothing for undisturbed times, which are about no quantile."""
    return "" if quantile is None else f" at {quantile_word(quantile)}"


def _as_typed(result: SearchResult) -> str:
    """The budgets in the words of the user; bytes are said to be of parameters, as a library has more."""
    words = result.budget.split(" and ")
    of = [_of_parameters(each.unit) for each in result.budgets]
    return " and ".join(map("".join, zip(words, of, strict=True))) if len(words) == len(of) else result.budget


def _of_parameters(unit: str) -> str:
    return " of parameters" if unit == "bytes" else ""


def _verdict(budget: AchievedBudget) -> str:
    share = budget.achieved / budget.limit - 1
    if budget.status == "over":
        return f"exceeded by {share:.1%}"
    spare = f"{-share:.1%} to spare"
    if budget.status == "not told apart":
        return f"{spare}, but its 95 % interval reaches to {amount(budget.upper, budget.unit)}, over the budget"
    return f"kept, {spare}"
