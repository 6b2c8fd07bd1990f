"""What b2nn-profile says of a busy machine, as it is typed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.cli.commands import Run
from tests.support.deploy.short_measurements import IN_CHILDREN

pytestmark = pytest.mark.sweep


def test_a_spread_of_the_observed_times_is_said_from_a_tenth_on(run: Run, small_onnx: Path, tmp_path: Path) -> None:
    """A limit of nothing makes every machine a busy one, and one that no spread reaches makes none."""
    assert run("compile", small_onnx, "-o", "net", "--no-verify").returncode == 0
    words = ("profile", "net", "--runs", "20", "--precision", "50%", "--json")
    limit = "import b2nn_tvm.cli.profile as profile; assert profile.BUSY == 0.1; profile.BUSY = {}"
    busy = run(*words, before=limit.format(0), env=IN_CHILDREN)
    quiet = run(*words, before=limit.format("float('inf')"), env=IN_CHILDREN)
    assert (busy.returncode, quiet.returncode) == (0, 0)
    said = re.findall(
        r"^note: the times vary by (\d+)% between the 10th and the 90th percentile", busy.stderr, re.MULTILINE
    )
    assert said == [f"{json.loads(busy.stdout)['spread']:.0%}".removesuffix("%")]
    assert "the times vary by" not in quiet.stderr
