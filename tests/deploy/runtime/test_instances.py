"""Instances of one compiled network share its constants and nothing else: no memory of the library is written to."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.c_interface import Library, aligned_empty
from b2nn_tvm.targets import target as targets
from tests.support.deploy.elf_image import WRITABLE, read_image

pytestmark = pytest.mark.skipif(bool(targets.get("x86").missing), reason="needs a CPU with AVX2")
IMAGES, RUNS = 6, 30


def test_instances_in_several_threads_give_equal_results(small_network):
    """Six threads, each with an instance of its own of 1, 2 or 3 threads, all at once on different images."""
    with load(small_network) as artifact:
        library = Library(artifact.library_path, model_id=artifact.manifest.library.model_id)
        images = [np.random.default_rng(i).standard_normal((1, 3, 11, 13)).astype("float32") for i in range(IMAGES)]
        alone = [artifact.run({"input": image})["output"] for image in images]
    assert all((alone[0] != other).any() for other in alone[1:])
    together = threading.Barrier(IMAGES)

    def work(index: int) -> None:
        instance, output = library.create(threads=1 + index % 3), aligned_empty((1, 10), "float32")
        together.wait(60)
        for run in range(RUNS):
            which = (index + run) % IMAGES
            instance.run([images[which]], [output])
            np.testing.assert_array_equal(output, alone[which])
        instance.close()

    with ThreadPoolExecutor(IMAGES) as executor:
        list(executor.map(work, range(IMAGES)))
    library.close()


def test_no_arena_lies_in_the_library(small_network):
    """What can be written to in a library holds pointers alone, on pages of its own; activations belong to
    instances.
    """
    manifest = load(small_network).manifest
    writable = [
        segment.bytes
        for segment in read_image(small_network / manifest.library.file).loaded
        if segment.flags & WRITABLE
    ]
    assert sum(writable) < 8192 < manifest.memory.arena
