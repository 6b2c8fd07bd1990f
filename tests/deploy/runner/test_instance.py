"""The caches are warm when runs are no faster any more, or when no further run fits into the limit."""

from __future__ import annotations

import ctypes

import pytest

from b2nn_tvm.deploy.library.write_sources import write_runner_sources

# A network that spends the times of a list, in turn, and the last one of it for ever.
NETWORK = """
#include "runner.h"
#include <time.h>
static const double *times;
static long last, runs;
static int32_t run(b2nn_model *model, const void *const *inputs, void *const *outputs, double *ms) {
    (void)model, (void)inputs, (void)outputs;
    *ms = times[runs < last ? runs : last];
    runs++;
    struct timespec spent = {0, (long)(*ms * 1e6)};
    return nanosleep(&spent, NULL), B2NN_OK;
}
long runs_of(const double *list, long count, double expected_ms, double limit_ms, double *least_ms) {
    net functions = {.b2nn_model_run_timed_ = run};
    instance made = {.net = &functions};
    times = list, last = count - 1, runs = 0;
    *least_ms = warm_caches(&made, expected_ms, limit_ms);
    return runs;
}
"""


@pytest.fixture(scope="module")
def library(workshop, tmp_path_factory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("instance")
    write_runner_sources(folder, compiler="cc")
    (folder / "network.c").write_text(NETWORK)
    sources = [str(folder / name) for name in ("network.c", "instance.c", "tensor_file.c", "support.c")]
    path = str(folder / "instance.so")
    workshop.compile(workshop.target(), "-shared", "-fPIC", f"-I{folder}", *sources, "-o", path)
    return ctypes.CDLL(path)


@pytest.mark.parametrize(
    ("times", "expected_ms", "limit_ms", "runs"),
    [
        ((0.8, 0.6, 0.5, 0.45, 0.449), 0, 1e4, 7),  # less than 1 % faster is no faster
        ((0.5,), 0, 1e4, 4),
        ((0.5, 0.5, 0.5, 0.4), 0, 1e4, 7),
        ((400.0,), 0, 300, 1),  # nothing is known before the first run
        ((400.0,), 400.0, 300, 0),
    ],
)
def test_runs_go_on_until_they_are_no_faster(library, times, expected_ms, limit_ms, runs) -> None:
    least = ctypes.c_double()
    given = (ctypes.c_double * len(times))(*times)
    words = (given, len(times), ctypes.c_double(expected_ms), ctypes.c_double(limit_ms), ctypes.byref(least))
    assert library.runs_of(*words) == runs
    assert least.value == (min(times[: min(runs, len(times))]) if runs else 0)
