"""Worker threads of an instance: all numbers of them compute the same, and idle ones cost nothing."""

from __future__ import annotations

import ctypes
import os
import threading

import numpy as np
import pytest

from tests.support.deploy.c_library import OK, Net, outputs
from tests.support.deploy.handmade import expected


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_all_thread_counts_compute_the_same(net, x, threads):
    library, (out, tasks) = Net(net), outputs()
    model = library.create(threads)
    for _ in range(50):
        out[:] = 0
        assert library.run(model, x, out, tasks) == OK
        np.testing.assert_array_equal(out, expected(x, shifts=1) + 1)
        assert tasks == threads
    assert library.c.b2nn_model_threads(model) == threads
    library.c.b2nn_model_destroy(model)


def test_workers_exist_as_long_as_the_instance(net):
    library, before = Net(net), len(os.listdir("/proc/self/task"))
    model = library.create(5)
    assert len(os.listdir("/proc/self/task")) == before + 4
    library.c.b2nn_model_destroy(model)
    assert len(os.listdir("/proc/self/task")) == before


def test_the_caller_computes_what_no_worker_has_begun(workshop, x):
    """Most of 64 workers that sleep are still waking when a loop of nothing is over.

    Where something else takes the processor from the caller, the workers may have begun everything: once in a while.
    """
    library, (out, tasks) = Net(workshop.build("mark_callers", name="callers")), outputs()
    model = library.create(64)
    helped = 0
    for _ in range(5):
        threading.Event().wait(0.1)
        assert library.run(model, x, out, tasks) == OK
        assert out[0, 0] == 1
        helped += out[0, 1:64].any()
    assert helped
    library.c.b2nn_model_destroy(model)


def test_an_idle_instance_uses_no_cpu_time(net, x):
    library, (out, tasks) = Net(net), outputs()
    model = library.create(4)
    assert library.run(model, x, out, tasks) == OK
    threading.Event().wait(0.1)
    before = os.times()
    threading.Event().wait(0.5)
    after = os.times()
    library.c.b2nn_model_destroy(model)
    assert (after.user + after.system) - (before.user + before.system) < 0.1


@pytest.mark.parametrize("threads", [1, 4])
def test_nested_parallel_loops_run_serially(workshop, x, threads):
    library, (out, tasks) = Net(workshop.build("shift_nested", name="nested")), outputs()
    model = library.create(threads)
    for _ in range(20):
        assert library.run(model, x, out, tasks) == OK
        np.testing.assert_array_equal(out, expected(x, shifts=1))
    library.c.b2nn_model_destroy(model)


def test_a_forked_child_gets_an_error_instead_of_waiting_for_workers_it_has_not(net, x):
    library, (out, tasks) = Net(net), outputs()
    model = library.create(2)
    read, write = os.pipe()
    child = ctypes.CDLL(None).fork()  # not os.fork: it warns, as Python itself has threads
    if child == 0:
        text = f"{library.run(model, x, out, tasks)} {library.error(model)}"
        library.c.b2nn_model_destroy(model)
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        assert pipe.read() == "1 the instance was made before fork(): its worker threads are gone"
    library.c.b2nn_model_destroy(model)
