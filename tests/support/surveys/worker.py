"""The child process of a survey: it reads a name per line and answers each with its row, as a line of JSON.

The first line that it writes is the list of all names. Whatever the code under trial prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys

from tests.support.surveys.registry import Survey, find_survey


def work(survey: Survey) -> None:
    """Answer the lines of standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(answer: object) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    say(list(survey.names()))
    for line in sys.stdin:
        say({column: as_text(value) for column, value in survey.row(json.loads(line)).items()})


def as_text(value: object) -> str:
    """One line: numbers with at most three digits behind the point."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else " ".join(str(value).split())


if __name__ == "__main__":
    work(find_survey(sys.argv[1]))
