"""The C interface itself, through ctypes: what a C program on the board sees."""

from __future__ import annotations

import ctypes
import os

import numpy as np
import pytest

from tests.support.deploy.c_library import ARGUMENT, KERNEL, OK, Net, outputs, table
from tests.support.deploy.handmade import N, expected


def test_zero_threads_means_the_usable_cpus(net):
    library = Net(net)
    model = library.create(0)
    assert library.c.b2nn_model_threads(model) == len(os.sched_getaffinity(0))
    library.c.b2nn_model_destroy(model)


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
