"""Whether budgets are kept: random budgets, a choice found for each, and its network measured again by another process.

    python benchmarks/budgets.py [--network cresnet20] [--budgets 20] [--disturb SHARE] [--json FILE]

For each budget between the all-binary and the all-float network's time a choice is found as a search finds it, by the
exact solver and by MixBin's sort; the harms of the layers are random numbers. All found networks are then measured
again by a fresh process. In both processes the all-float network is the reference, so that shares of its time are
compared, in milliseconds of the first process. The rows say whether each network keeps its budget there, and how
harmful the two solvers' choices are.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from disturb import neighbour
from latency_model import NETWORKS, make_job

from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.errors import BudgetError
from b2nn_tvm.loop.budget_goal import BudgetGoal
from b2nn_tvm.loop.choose_by_flops import choose_by_flops
from b2nn_tvm.loop.find_within_budget import find_within_budget
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.measure_costs import MeasuredCost, measure_cost
from b2nn_tvm.loop.measuring.measure_network import measure_networks
from b2nn_tvm.loop.measuring.settle_references import REFERENCE, until_settled
from b2nn_tvm.storage.document import write_document
from b2nn_tvm.storage.phase_cache import State


@dataclass(frozen=True)
class Row:
    """One budget: the exact choice's time when it was found and when it was measured again, and the harms of all
    choices; the choice by FLOPs has the time that it takes on this machine, and None where FLOPs have no choice.
    """

    budget_ms: float
    found_ms: float
    again_ms: float
    keeps: bool
    binary: int
    harm: float
    sort_harm: float
    sort_ms: float
    flops_harm: float | None
    flops_ms: float | None


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (arguments.state or Path(scratch)) / arguments.network
        job = make_job(arguments.network, folder, masks=6, precision=arguments.precision)
        draw = random.Random(7)
        scores = {name: draw.lognormvariate(0, 1) for name in job.eligible}
        shares = sorted(draw.random() for _ in range(arguments.budgets))
        with neighbour(arguments.disturb):
            tried = until_settled(lambda: _within_budgets(job, scores, shares))
            draws = [budget for budget, choices in tried if choices is not None]
            found = [choices for _, choices in tried if choices is not None]
            again = [share * _reference_ms(job) for share in _measured_again(arguments, [exact for exact, *_ in found])]
        rows = [
            Row(
                budget,
                exact.time.ms,
                ms,
                ms <= budget,
                len(exact.binary),
                sum(scores[name] for name in exact.binary),
                sum(scores[name] for name in by_sort.binary),
                by_sort.time.ms,
                flops.harm if flops else None,
                flops.measured_ms if flops else None,
            )
            for budget, (exact, by_sort, flops), ms in zip(draws, found, again, strict=True)
        ]
    for row in rows:
        print(
            f"budget {row.budget_ms:8.4f} ms  found {row.found_ms:8.4f}  again {row.again_ms:8.4f}"
            f"  {'kept' if row.keeps else 'BROKEN'}  harm {row.harm:7.3f}  by the sort {row.sort_harm:7.3f}"
        )
    kept = sum(row.keeps for row in rows)
    worse = sum(row.harm > row.sort_harm + 1e-9 for row in rows)
    better = sum(row.harm < row.sort_harm - 1e-9 for row in rows)
    refused = len(tried) - len(found)
    print(f"{kept} of {len(rows)} kept, {refused} refused; less harm than the sort {better} times, more {worse} times")
    flops = [row for row in rows if row.flops_ms is not None]
    over = [row.flops_ms / row.budget_ms - 1 for row in flops if row.flops_ms > row.budget_ms]
    print(
        f"by FLOPs {len(over)} of {len(flops)} choices are over the budget"
        + (f", by {max(over):.1%} at worst" if over else "")
        + f"; of the others {sum(r.flops_harm > r.harm + 1e-9 for r in flops if r.flops_ms <= r.budget_ms)} harm more"
    )
    if arguments.json:
        head = {"network": arguments.network, "disturb": arguments.disturb, "machine": asdict(LocalDevice().describe())}
        head["refused"] = refused
        write_document(arguments.json, "budgets", 1, {**head, "rows": list(map(asdict, rows))})


def _within_budgets(job: Job, scores: dict[str, float], shares: list[float]):
    """Pairs of a budget and what ``_choices`` finds within it; the budgets are so far between just above the all-binary
    network's time and the all-float one's.
    """
    measured = measure_cost(job)
    low, high = 1.02 * measured.binary_ms, measured.float_ms
    return [(budget, _choices(job, scores, measured, budget)) for budget in (low + x * (high - low) for x in shares)]


def _choices(job: Job, scores: dict[str, float], measured: MeasuredCost, budget: float):
    """What the exact solver and the sort find within the budget, and what FLOPs in its place come to; None where no
    choice is measured within it.
    """
    solvers = []
    for solver in ("exact", "sort"):
        selection = replace(job.settings.selection, solver=solver)
        solvers.append(replace(job, settings=replace(job.settings, selection=selection)))
    try:
        exact, by_sort = (find_within_budget(each, scores, measured, budget) for each in solvers)
    except BudgetError as error:
        print(f"budget {budget:8.4f} ms  refused: {error}")
        return None
    goal = BudgetGoal(f"{budget}ms", "ms", budget, None)
    return exact, by_sort, choose_by_flops(solvers[0], goal, scores, measured)


def _measured_again(arguments: argparse.Namespace, found) -> list[float]:
    """The times of the found networks as shares of the reference's, from a fresh process that builds them anew."""
    command = [sys.executable, __file__, "--fresh-process", "--network", arguments.network]
    command += ["--again", str(arguments.again)]
    choices = json.dumps([list(each.binary) for each in found])
    done = subprocess.run(command, input=choices, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def _again(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        job = make_job(arguments.network, Path(folder), masks=0, precision=arguments.again)
        job = replace(job, state=State(Path(folder) / "fresh" / "state"))
        choices = json.load(sys.stdin)
        times = until_settled(lambda: measure_networks(job, choices))
        shares = [time.ms / _reference_ms(job) for time in times]
    print(json.dumps(shares))


def _reference_ms(job: Job) -> float:
    """The settled time of the all-float network, in whose milliseconds all times of the job are stated."""
    document = json.loads((job.state.files(REFERENCE) / "phase.json").read_text(encoding="utf-8"))
    return float(document["result"]["ms"])


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--network", choices=NETWORKS, default="cresnet20")
    made.add_argument("--budgets", type=int, default=20)
    made.add_argument("--disturb", type=float, default=0.0, help="share of the time that a process keeps a core busy")
    made.add_argument("--precision", type=float, default=0.02, help="of the search's measurements")
    made.add_argument("--again", type=float, default=0.005, metavar="PRECISION", help="of the fresh process's ones")
    made.add_argument("--state", type=Path, help="keep libraries and times here, and go on from there")
    made.add_argument("--json", type=Path, help="write the rows to this file")
    made.add_argument("--fresh-process", action="store_true", help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    given = _arguments()
    _again(given) if given.fresh_process else main()
