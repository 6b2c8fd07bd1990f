"""python -m tests.surveys [NAME ...]: try what has no row yet, write the tables and the page about them."""

from __future__ import annotations

import click

from tests.support.surveys.registry import NAMES, OUTCOME, find_survey
from tests.support.surveys.run_survey import run_survey
from tests.support.surveys.write_page import write_page


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", type=click.Choice(NAMES))
@click.option("--fresh", is_flag=True, help="Forget the rows that are there.")
@click.option("--retry", is_flag=True, help="Keep only rows with the best outcome, and try the others again.")
@click.option(
    "--only", multiple=True, metavar="THING", help="Try only this thing, also if it has a row; may be repeated."
)
@click.option("--page", is_flag=True, help="Only write the page.")
def main(names: tuple[str, ...], fresh: bool, retry: bool, only: tuple[str, ...], page: bool) -> None:
    """Run the surveys NAME, or all of them, into docs/surveys/NAME.csv, and write docs/surveys.md."""
    for survey in () if page else map(find_survey, names or NAMES):
        best = survey.outcomes[0]

        def keep(name: str, row: dict[str, str], best: str = best) -> bool:
            if only:
                return name not in only
            return not fresh and not (retry and row[OUTCOME] != best)

        run_survey(survey, only=only, keep=keep)
    write_page(map(find_survey, NAMES))


if __name__ == "__main__":
    main()
