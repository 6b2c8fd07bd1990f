"""One engine's process: it loads and times calls as rounds.py asks on its standard input, one JSON object per line.

The process runs under any interpreter that has the engine and numpy: this file imports only the standard library. An
engine's module, named in the request, has ``load(**arguments)``, which returns two functions: the first runs one
inference and is timed; the second returns the result of this inference as an array.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from importlib.metadata import version

WARMUP_TURNS = 4  # so many turns' time before the first that counts


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what engines print must not mix with the answers
    calls: dict = {}
    actions = {
        "load": lambda request: _load(calls, **request),
        "time": lambda request: _time(calls[request["name"]], request["seconds"]),
        "drop": lambda request: calls.clear(),
    }
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"value": actions[request.pop("action")](request)}
        except Exception as error:  # noqa: BLE001 - any failure of an engine is an answer; rounds.py decides what it means
            text = " ".join(str(error).split())
            answer = {"error": f"{type(error).__name__}: {text}"[:400]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _load(
    calls: dict, *, name: str, module: str, arguments: dict, distributions: list, output: str | None, seconds: float
) -> dict:
    run, result = importlib.import_module(module).load(**arguments)
    calls[name] = run
    run()
    if output is not None:
        import numpy

        numpy.save(output, numpy.asarray(result()))
    _time(run, WARMUP_TURNS * seconds)
    return {distribution: version(distribution) for distribution in distributions}


def _time(call, seconds: float) -> list:
    """The milliseconds of each call in a turn of about ``seconds``, after one call that is not timed."""
    call()
    times, begin = [], time.perf_counter()
    while time.perf_counter() - begin < seconds or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return times


if __name__ == "__main__":
    main()
