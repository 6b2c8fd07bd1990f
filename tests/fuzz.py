"""python -m tests.fuzz: random networks and damaged files through the whole compiler, of seeds that no table has.

Tables of what came out, and the files with which something is wrong, are left in build/fuzz.
"""

from __future__ import annotations

import os
import sys

import click

from tests.support.networks.try_file import EQUAL, KEPT, REFUSED, UNCHECKED
from tests.support.surveys.registry import OUTCOME, find_survey
from tests.support.surveys.run_survey import run_survey
from tests.support.surveys.seeds import SEEDS


@click.command()
@click.option("--graphs", default=100, show_default=True, help="Random networks.")
@click.option("--files", default=200, show_default=True, help="Damaged files.")
@click.option("--first", default=10_000, show_default=True, help="The first seed.")
def main(graphs: int, files: int, first: int) -> None:
    """Try GRAPHS networks and FILES files; the status is 1 where any of them is a fault."""
    faults = 0
    for name, count, right in (("random_graphs", graphs, ()), ("damaged_files", files, (UNCHECKED,))):
        os.environ[SEEDS] = f"{first} {count}"
        rows = run_survey(find_survey(name), folder=KEPT)
        wrong = {seed: row for seed, row in rows.items() if row[OUTCOME] not in (EQUAL, REFUSED, *right)}
        click.echo(f"{name}: seeds {first} to {first + count - 1}, {len(wrong)} faults")
        for seed, row in wrong.items():
            click.echo(f"  {seed} {row[OUTCOME]}: {row['reason']}")
        faults += len(wrong)
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
