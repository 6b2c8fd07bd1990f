"""The C files of the runner and of the runtime call one another one way: no file needs one that needs it."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.library.elf import read_elf
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.deploy.library.write_sources import LIBRARY_SOURCES, write_runner_sources, write_sources
from tests.support.deploy.handmade import program


def needed_files(folder: Path, names: tuple[str, ...], workshop) -> dict[str, set[str]]:
    """For each C file and header: the C files whose functions and variables it uses, and the headers that it
    includes.
    """
    objects = {}
    for name in names:
        words = ["-std=c11", "-D_GNU_SOURCE", "-O0", "-fPIC", "-I.", "-c", name, "-o", f"{name}.o"]
        find_toolchain(workshop.target()).run(words, folder=folder)
        objects[name] = read_elf((folder / f"{name}.o").read_bytes())
    needed = {
        name: {other for other in names if elf.undefined & objects[other].defined} for name, elf in objects.items()
    }
    for path in [*map(folder.joinpath, names), *folder.glob("*.h")]:
        included = re.findall(r'^\s*#\s*include\s+"(.+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
        needed[path.name] = needed.get(path.name, set()) | set(included) - {path.name}  # stb names itself
    return needed


def order(needed: dict[str, set[str]]) -> list[str]:
    """The files, each behind those that it needs; fails with the circle where there is one."""
    try:
        return list(TopologicalSorter(needed).static_order())
    except CycleError as error:
        pytest.fail(f"these files need one another in a circle: {', '.join(error.args[1])}")


def test_the_runner_has_no_circle(workshop, tmp_path):
    needed = needed_files(tmp_path, write_runner_sources(tmp_path, compiler="gcc"), workshop)
    assert needed["support.c"] == {"runner.h"}
    assert {"classes.c", "instance.c", "interleave.c", "load.c", "options.c", "profile.c"} < needed["main.c"]
    assert order(needed)[-1] == "main.c"


def test_the_runtime_has_no_circle(workshop, tmp_path):
    write_sources([Level(workshop.target(), program("shift_one"), [workshop.kernels()])], tmp_path)
    needed = needed_files(tmp_path, tuple(name for name in LIBRARY_SOURCES if name.endswith(".c")), workshop)
    assert {"threads.c", "level.c"} < needed["model.c"]
    assert order(needed).index("threads.c") < order(needed).index("backend.c")


def test_a_circle_is_named(workshop, tmp_path):
    (tmp_path / "even.c").write_text("int odd(int n);\nint even(int n) { return n == 0 || odd(n - 1); }\n")
    (tmp_path / "odd.c").write_text("int even(int n);\nint odd(int n) { return n != 0 && even(n - 1); }\n")
    needed = needed_files(tmp_path, ("even.c", "odd.c"), workshop)
    assert needed == {"even.c": {"odd.c"}, "odd.c": {"even.c"}}
    with pytest.raises(pytest.fail.Exception, match="in a circle: .*odd.c"):
        order(needed)
