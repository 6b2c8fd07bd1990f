"""This machine as a device: it computes in this process, and times as often as it is asked to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import psutil
import pytest

from b2nn_tvm.deploy.devices.bursts import REFERENCE, BurstSettings
from b2nn_tvm.deploy.devices.local import MIN_PROFILED, MIN_RUNS, LocalDevice, example_inputs
from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Samples
from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.deploy.library.library_files import RUNNER
from b2nn_tvm.errors import DeviceError, InputError
from b2nn_tvm.targets import target as targets
from tests.support.deploy.burst_checks import check_rows
from tests.support.deploy.handmade import N, expected

ENDLESS = BurstSettings(rounds=1_000_000, burst_ms=1)


@pytest.mark.parametrize("threads", [1, 2])
def test_it_computes_what_the_library_computes(artifact, x, threads):
    result = LocalDevice().run(artifact, {"input": x}, threads=threads)
    np.testing.assert_array_equal(result["output"], expected(x) + 1)
    assert int(result["tasks"]) == threads


def test_whole_runs_come_first_then_as_many_with_every_step_timed(artifact):
    samples = list(LocalDevice().sample(artifact, threads=2, effort=MeasurementSettings(runs=3, warmup=0)))
    assert [sample.run_ms is not None for sample in samples] == [True] * 3 + [False] * 3
    assert all(sample.threads == 2 for sample in samples)
    table = Samples.of(samples)
    assert table.run_ms.shape == (3,) and table.step_ms.shape == (3, len(artifact.manifest.steps))
    assert (table.run_ms > 0).all() and (table.step_ms > 0).all()


def test_without_a_number_of_runs_it_repeats_for_the_time_given(artifact):
    samples = Samples.of(LocalDevice().sample(artifact, threads=1, effort=MeasurementSettings(min_seconds=0.01)))
    assert len(samples.run_ms) >= MIN_RUNS and len(samples.step_ms) >= MIN_PROFILED
    assert samples.run_ms.sum() <= 1000 * 3 * 0.01


def test_what_is_measured_with_is_the_same_each_time(artifact):
    (first,), (again,) = example_inputs(artifact), example_inputs(artifact)
    np.testing.assert_array_equal(first, again)
    assert (first.shape, first.dtype, first.ctypes.data % 64) == ((1, N), "float32", 0)
    assert abs(first.mean()) < 0.1 and abs(first.std() - 1) < 0.1


def own_runners() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if each.name() == RUNNER]


@pytest.mark.parametrize(("threads", "profiled"), [(1, False), (2, True)])
def test_networks_take_turns_in_bursts(family, threads, profiled):
    reference = family[1]  # it may be one of the networks
    settings = BurstSettings(rounds=3, burst_ms=1.5, seed=11, profiled=profiled)
    rows = LocalDevice().interleave(family, reference=reference, threads=threads, settings=settings)
    check_rows(rows, [len(each.manifest.steps) for each in family], settings)


def test_a_reference_alone_has_two_bursts_in_a_round(artifact):
    settings = BurstSettings(rounds=2, burst_ms=0.5)
    check_rows(LocalDevice().interleave([], reference=artifact, threads=1, settings=settings), [], settings)


def test_bursts_come_while_it_measures_and_closing_ends_it(family):
    rows = LocalDevice().interleave(family, reference=family[0], threads=1, settings=ENDLESS)
    assert next(rows).network == REFERENCE
    assert len(own_runners()) == 1
    rows.close()
    assert own_runners() == []


def test_a_program_that_is_killed_is_an_error_after_what_came(family):
    came = []
    with pytest.raises(DeviceError, match=r"^local: the run was killed \(signal 9\)"):
        for row in LocalDevice().interleave(family, reference=family[0], threads=1, settings=ENDLESS):
            came.append(row)
            if len(came) == 5:
                own_runners()[0].kill()
    assert len(came) >= 5 and own_runners() == []


def test_what_does_not_fit_is_refused_by_name(workshop, artifact):
    foreign = Artifact(artifact.folder, replace(artifact.manifest, target=targets.get("armv7")))
    with pytest.raises(DeviceError, match=f"local: {artifact.folder} is compiled for target armv7 .* compile it with"):
        LocalDevice().interleave([foreign], reference=artifact, threads=1, settings=ENDLESS)
    library = replace(artifact.manifest.library, model_id="0" * 64)
    other = Artifact(artifact.folder, replace(artifact.manifest, library=library))
    with pytest.raises(DeviceError, match="other networks run there than those that were asked for"):
        next(LocalDevice().interleave([other], reference=artifact, threads=1, settings=ENDLESS))
    with pytest.raises(InputError, match="threads: expected a number from 0 to 256, but got 257"):
        LocalDevice().interleave([artifact], reference=artifact, threads=257, settings=ENDLESS)
    failing = load(workshop.build("ask_too_much", "shift_one", name="interleave fails"))
    with pytest.raises(DeviceError, match=r"^local: step 1 \(ask_too_much, layer layer 0\) failed"):
        next(LocalDevice().interleave([failing], reference=artifact, threads=1, settings=ENDLESS))
