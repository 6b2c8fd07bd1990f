"""A process that works off tasks: ``python -m b2nn_tvm.loop.workers.worker``, started by worker_pool.py.

Each line on stdin names, in JSON, a file that worker_pool.py wrote with cloudpickle, which carries models defined in a
user's script or notebook. Progress and the outcome are JSON lines on stdout.
"""

from __future__ import annotations

import json
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO


def main() -> int:
    """Run one task after the other until there are no more; returns the exit status."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as in the background of a script: then the parent goes on
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the parent reports an interruption, once
    answers, sys.stdout = sys.stdout, sys.stderr  # a line that a library prints must not look like an answer
    import cloudpickle

    from b2nn_tvm.errors import B2nnError
    from b2nn_tvm.mixbin.network.own_faults import own_faults

    def progress(phase: str, done: int, total: int, detail: str = "") -> None:
        _say(answers, {"done": done, "total": total, "detail": detail})

    for line in sys.stdin:
        try:
            task = cloudpickle.loads(Path(json.loads(line)).read_bytes())
            with own_faults("the work"):
                result = task.run(progress)
        except B2nnError as error:
            _say(answers, {"error": str(error), "kind": type(error).__name__, "traceback": traceback.format_exc()})
        else:
            _say(answers, {"result": result})
    return 0


def _say(answers: TextIO, line: dict[str, Any]) -> None:
    print(json.dumps(line), file=answers, flush=True)


if __name__ == "__main__":
    sys.exit(main())
