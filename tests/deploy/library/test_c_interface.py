"""The C interface as Python sees it: instances, bound arrays, and the loader that knows libraries by path."""

from __future__ import annotations

import numpy as np

from b2nn_tvm.deploy.library.artifact import load
from tests.support.deploy.handmade import expected


def test_a_profile_gives_one_time_for_each_step(artifact, x):
    outputs = [np.zeros(spec.shape, spec.dtype) for spec in artifact.outputs]
    step_ms = artifact.instance(threads=2).profile([x], outputs)
    results = {spec.name: output for spec, output in zip(artifact.outputs, outputs, strict=True)}
    np.testing.assert_array_equal(results["output"], expected(x, shifts=1) + 1)
    assert step_ms.shape == (len(artifact.manifest.steps),)
    assert (step_ms > 0).all()


def test_bound_arrays_are_read_anew_at_each_call(artifact, x):
    given, results = [np.zeros_like(x)], [np.zeros(spec.shape, spec.dtype) for spec in artifact.outputs]
    run = artifact.instance(threads=1).bind(given, results)
    for scale in (1, 2):
        given[0][...] = scale * x
        assert run() > 0
        for spec, result in zip(artifact.outputs, results, strict=True):
            np.testing.assert_array_equal(result, artifact.run({"input": scale * x})[spec.name])


def test_a_rebuilt_library_replaces_the_one_still_in_use(workshop, x):
    """The loader knows libraries by path; it must not give back the old one."""
    with load(workshop.build("shift_one", name="rebuilt", factor=2.0)) as old:
        np.testing.assert_array_equal(old.run({"input": x})["output"], expected(x, factor=2.0))
        with load(workshop.build("shift_one", name="rebuilt", factor=3.0)) as new:
            np.testing.assert_array_equal(new.run({"input": x})["output"], expected(x, factor=3.0))
            np.testing.assert_array_equal(old.run({"input": x})["output"], expected(x, factor=2.0))
