"""The sources of a library and of its runner."""

from __future__ import annotations

from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.library.library_files import HEADER
from b2nn_tvm.deploy.library.write_sources import (
    LIBRARY_SOURCES,
    RUNTIME,
    kernel_files,
    write_runner_sources,
    write_sources,
)
from tests.support.deploy.handmade import program


def test_the_sources_of_a_library_are_whole_and_each_object_is_there_once(workshop, tmp_path):
    level = Level(workshop.target(), program("shift_one"), [workshop.kernels()])
    model_id = write_sources([level, level], tmp_path)
    assert kernel_files([level, level]) == ["kernel_0.o"]
    assert (tmp_path / "kernel_0.o").read_bytes() == workshop.kernels()
    assert {*LIBRARY_SOURCES, HEADER} <= {path.name for path in tmp_path.iterdir()}
    assert model_id in (tmp_path / LIBRARY_SOURCES[0]).read_text()


def test_a_model_has_another_id_where_its_kernels_or_its_target_differ(workshop, tmp_path):
    ids = set()
    for index, factor in enumerate((1.0, 5.0, 5.0)):
        folder = tmp_path / str(index)
        folder.mkdir()
        ids.add(
            write_sources([Level(workshop.target(), program("shift_one"), [workshop.kernels(factor=factor)])], folder)
        )
    assert len(ids) == 2


def test_the_runner_is_linked_with_its_network_or_loads_one(tmp_path):
    names = {}
    for static in (False, True):
        folder = tmp_path / str(static)
        folder.mkdir()
        names[static] = set(write_runner_sources(folder, compiler='a "quoted" compiler', static=static))
        assert {path.name for path in folder.glob("*.c")} >= names[static]
        assert '#define B2NN_COMPILER "a \\042quoted\\042 compiler"' in (folder / "build_info.h").read_text()
        assert (folder / HEADER).read_bytes() == (RUNTIME / HEADER).read_bytes()
    assert names[False] - names[True] == {"load.c"} and names[True] - names[False] == {"linked.c"}
