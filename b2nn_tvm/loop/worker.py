"""Fine-tune one network in a process of its own: ``python -m b2nn_tvm.loop.worker JOB``.

JOB is a file that training.py wrote with cloudpickle, which carries models defined in a user's script or notebook. Progress
and the outcome are JSON lines on stdout.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path


def main(job_file: str) -> int:
    """Train as the job says; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the parent reports an interruption, once
    import cloudpickle

    from b2nn_tvm.errors import B2nnError
    from b2nn_tvm.loop.training import run_task

    class Progress:
        def __call__(self, done: int, total: int) -> None:
            _say({"done": done, "total": total})

        def epoch(self, record) -> None:
            _say({"loss": record.loss, "accuracy": record.accuracy})

    task = cloudpickle.loads(Path(job_file).read_bytes())
    try:
        result = run_task(task, Progress())
    except B2nnError as error:
        _say({"error": str(error), "kind": type(error).__name__})
        return 1
    _say({"result": result})
    return 0


def _say(line: dict) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
