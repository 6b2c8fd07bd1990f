"""The C interface itself, through ctypes: what a C program on the board sees."""

from __future__ import annotations

import ctypes
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from b2nn_tvm.deploy.library.build_library import LIBRARY
from b2nn_tvm.deploy.library.c_interface import aligned_empty
from tests.deploy.handmade import N, expected

OK, ARGUMENT, MEMORY, THREAD, KERNEL, BUSY = range(6)


class Tensor(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_char_p),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("size_bytes", ctypes.c_uint64),
    )


class Net:
    """A library as C sees it."""

    def __init__(self, folder):
        self.c = ctypes.CDLL(str(folder / LIBRARY))
        for name in ("b2nn_input", "b2nn_output"):
            getattr(self.c, name).restype = ctypes.POINTER(Tensor)
        for name in ("b2nn_step_name", "b2nn_step_layer", "b2nn_status_text", "b2nn_model_error", "b2nn_model_id"):
            getattr(self.c, name).restype = ctypes.c_char_p

    def create(self, threads: int) -> ctypes.c_void_p:
        model = ctypes.c_void_p()
        assert self.c.b2nn_model_create(ctypes.byref(model), threads) == OK
        return model

    def run(self, model, x: np.ndarray, out: np.ndarray, tasks: np.ndarray) -> int:
        return self.c.b2nn_model_run(model, table(x), table(out, tasks))

    def error(self, model) -> str:
        return self.c.b2nn_model_error(model).decode()


def table(*arrays):
    return (ctypes.c_void_p * len(arrays))(*(None if a is None else a.ctypes.data for a in arrays))


def outputs() -> tuple[np.ndarray, np.ndarray]:
    return aligned_empty((1, N), "float32"), aligned_empty((), "int32")


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


def test_zero_threads_means_the_usable_cpus(net):
    library = Net(net)
    model = library.create(0)
    assert library.c.b2nn_model_threads(model) == len(os.sched_getaffinity(0))
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


@pytest.mark.parametrize("shift", [0, 4, 20, 63])
def test_buffers_need_no_alignment(net, x, shift):
    library, (_, tasks) = Net(net), outputs()
    raw_in, raw_out = np.zeros(N * 4 + 128, np.uint8), np.zeros(N * 4 + 128, np.uint8)
    start_in, start_out = -raw_in.ctypes.data % 64 + shift, -raw_out.ctypes.data % 64 + shift
    raw_in[start_in : start_in + N * 4] = x.view(np.uint8).ravel()
    model = library.create(2)
    assert library.run(model, raw_in[start_in:], raw_out[start_out:], tasks) == OK
    result = raw_out[start_out : start_out + N * 4].copy().view("float32")
    np.testing.assert_array_equal(result[None], expected(x, shifts=1) + 1)
    assert not raw_out[:start_out].any()
    assert not raw_out[start_out + N * 4 :].any()
    library.c.b2nn_model_destroy(model)


def test_tensors_and_steps_are_described(net):
    c = Net(net).c
    assert c.b2nn_abi_version() == 1
    assert (c.b2nn_input_count(), c.b2nn_output_count(), c.b2nn_step_count()) == (1, 2, 4)
    first, tasks = c.b2nn_input(0).contents, c.b2nn_output(1).contents
    assert (first.name, first.dtype, first.rank, first.shape[:2], first.size_bytes) == (
        b"input",
        b"float32",
        2,
        [1, N],
        4 * N,
    )
    assert (tasks.name, tasks.dtype, tasks.rank, tasks.size_bytes) == (b"tasks", b"int32", 0, 4)
    assert [c.b2nn_step_name(i) for i in range(4)] == [b"scale", b"shift_one", b"shift_seven_tasks", b"count_tasks"]
    assert [c.b2nn_step_layer(i) for i in range(4)] == [b"conv1", b"layer 0", b"layer 1", b"tail"]
    for outside in (-1, 4, 1000):
        assert not c.b2nn_input(outside)
        assert not c.b2nn_output(outside)
        assert c.b2nn_step_name(outside) is None
        assert c.b2nn_step_layer(outside) is None


def test_every_status_has_a_text(net):
    c = Net(net).c
    texts = [c.b2nn_status_text(status) for status in range(-1, 8)]
    assert texts[0] == texts[-1] == b"an unknown status"
    assert len(set(texts)) == 8


def test_bad_arguments_are_refused_and_named(net, x):
    library, (out, tasks) = Net(net), outputs()
    model = ctypes.c_void_p(1)
    for threads in (-1, 257):
        assert library.c.b2nn_model_create(ctypes.byref(model), threads) == ARGUMENT
        assert not model.value
    assert library.c.b2nn_model_create(None, 1) == ARGUMENT
    library.c.b2nn_model_destroy(None)
    model = library.create(1)
    assert library.c.b2nn_model_run(None, table(x), table(out, tasks)) == ARGUMENT
    assert library.c.b2nn_model_run(model, None, table(out, tasks)) == ARGUMENT
    assert library.error(model) == "the table of inputs is a null pointer"
    assert library.c.b2nn_model_run(model, table(None), table(out, tasks)) == ARGUMENT
    assert library.error(model) == "input 0 (input) is a null pointer"
    assert library.c.b2nn_model_run(model, table(x), table(out, None)) == ARGUMENT
    assert library.error(model) == "output 1 (tasks) is a null pointer"
    assert library.c.b2nn_model_run_profiled(model, table(x), table(out, tasks), None) == ARGUMENT
    assert library.run(model, x, out, tasks) == OK
    assert library.error(model) == ""
    library.c.b2nn_model_destroy(model)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_failing_kernel_is_named_and_the_instance_works_on(workshop, x, threads):
    library, (out, tasks) = Net(workshop.build("fail_if_negative", "shift_one", name="failing")), outputs()
    model = library.create(threads)
    positive = np.abs(x) * np.sign(expected(x, shifts=0))
    for _ in range(20):  # the kernel leaves scratch memory behind: it must not add up
        assert library.run(model, -positive - 1, out, tasks) == KERNEL
        assert library.error(model) == "step 1 (fail_if_negative, layer layer 0) failed with status 7"
    assert library.run(model, positive, out, tasks) == OK
    np.testing.assert_array_equal(out, expected(positive, shifts=1))
    library.c.b2nn_model_destroy(model)


def test_a_shortage_of_scratch_memory_is_an_error_with_figures(workshop, x):
    library, (out, tasks) = Net(workshop.build("ask_too_much", name="greedy")), outputs()
    model = library.create(1)
    assert library.run(model, x, out, tasks) == KERNEL
    assert library.error(model) == (
        "step 1 (ask_too_much, layer layer 0) failed with status -1: it asked for 983616 bytes of scratch memory "
        "beyond the 16384 planned for a thread"
    )
    library.c.b2nn_model_destroy(model)


@pytest.mark.parametrize("threads", [1, 4])
def test_nested_parallel_loops_run_serially(workshop, x, threads):
    library, (out, tasks) = Net(workshop.build("shift_nested", name="nested")), outputs()
    model = library.create(threads)
    for _ in range(20):
        assert library.run(model, x, out, tasks) == OK
        np.testing.assert_array_equal(out, expected(x, shifts=1))
    library.c.b2nn_model_destroy(model)


def test_libraries_with_the_same_symbols_do_not_mix(workshop, net, x):
    """Two libraries define the same kernels and runtime; instances of both run at once in four threads."""
    libraries = {2.0: Net(net), 3.0: Net(workshop.build("shift_one", "shift_one", name="other", factor=3.0))}

    def work(factor: float, threads: int) -> None:
        library, (out, tasks) = libraries[factor], outputs()
        model = library.create(threads)
        for _ in range(100):
            out[:] = 0
            assert library.run(model, x, out, tasks) == OK
            np.testing.assert_array_equal(out, expected(x, factor=factor, shifts=1) + 1)
            assert tasks == threads
        library.c.b2nn_model_destroy(model)

    with ThreadPoolExecutor(4) as executor:
        futures = [executor.submit(work, factor, threads) for factor in libraries for threads in (1, 3)]
        for future in futures:
            future.result()


def test_profile_times_every_step(net, x):
    library, (out, tasks) = Net(net), outputs()
    model, steps, total = library.create(1), np.full(4, -1.0), ctypes.c_double(-1)
    pointer = steps.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    assert library.c.b2nn_model_run_profiled(model, table(x), table(out, tasks), pointer) == OK
    assert (steps > 0).all()
    assert (steps < 1000).all()
    assert library.c.b2nn_model_run_timed(model, table(x), table(out, tasks), ctypes.byref(total)) == OK
    assert 0 < total.value < 1000
    np.testing.assert_array_equal(out, expected(x, shifts=1) + 1)
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
