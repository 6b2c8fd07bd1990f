"""Where a result comes from."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from b2nn_tvm.loop.results.origin import origin_of
from b2nn_tvm.targets import target as targets
from b2nn_tvm.version import __version__
from tests.support.loop.small_job import small_job


def test_data_training_and_versions_are_told(tmp_path: Path) -> None:
    job = small_job(tmp_path, epochs=3, float_epochs=2, seed=5, recipe="standard", lr=0.1, batch_size=8)
    found = origin_of(job, started=time.monotonic() - 60, command="b2nn-search --model net")
    assert (found.data, found.images, found.classes) == ("noise", {"train": 48, "val": 32, "test": 8}, 3)
    assert (found.epochs, found.float_epochs, found.seed) == (3, 2, 5)
    assert (found.recipe, found.lr, found.batch_size) == ("standard", 0.1, 8)
    assert found.target == f"native ({targets.get(targets.NATIVE).mcpu})"
    assert found.versions["b2nn-tvm"] == __version__ and {"torch", "numpy", "Python"} <= found.versions.keys()
    assert 60 <= found.seconds < 120 and found.command == "b2nn-search --model net"
    assert datetime.fromisoformat(found.finished).tzinfo is not None


def test_phases_of_this_run_are_not_called_earlier_ones(tmp_path: Path) -> None:
    job, started = small_job(tmp_path), time.monotonic()
    job.state.run("one", {}, lambda _folder: {})
    job.state.run("one", {}, lambda _folder: {})  # asked for again in the same run
    assert origin_of(job, started=started - 1, command="").reused == 0
    later = small_job(tmp_path)
    later.state.run("one", {}, lambda _folder: {})
    assert origin_of(later, started=time.monotonic() + 1, command="").reused == 1
