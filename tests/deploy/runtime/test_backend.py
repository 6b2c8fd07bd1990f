"""What kernels call back for: scratch memory, which is planned, and hooks that each library has for itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tests.support.deploy.c_library import KERNEL, OK, Net, outputs
from tests.support.deploy.handmade import expected


def test_a_shortage_of_scratch_memory_is_an_error_with_figures(workshop, x):
    library, (out, tasks) = Net(workshop.build("ask_too_much", name="greedy")), outputs()
    model = library.create(1)
    assert library.run(model, x, out, tasks) == KERNEL
    assert library.error(model) == (
        "step 1 (ask_too_much, layer layer 0) failed with status -1: it asked for 983616 bytes of scratch memory "
        "beyond the 16384 planned for a thread"
    )
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
