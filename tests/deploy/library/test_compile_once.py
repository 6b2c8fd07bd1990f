"""What a C compiler made is found again as long as compiler, arguments and sources are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.deploy.library.compile_once import compile_once
from b2nn_tvm.deploy.library.toolchain import Toolchain
from b2nn_tvm.errors import ToolchainError

COPY = ("cp", "source.c", "made")  # stands for a compiler; each run is noted
NOTED = Toolchain(("sh", "-c", 'echo >>../runs; "$@"', "sh"), "1.0")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("B2NN_CACHE_MIB", raising=False)
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "source.c").write_text("int one;")
    return tmp_path / "sources"


def made(folder: Path, toolchain: Toolchain = NOTED, arguments: tuple[str, ...] = COPY) -> tuple[bytes, int]:
    """(The output, the number of runs of the compiler so far)."""
    content = compile_once(toolchain, arguments, folder=folder, output="made")
    (folder / "made").unlink(missing_ok=True)
    return content, len((folder.parent / "runs").read_text().splitlines())


def test_the_same_sources_are_compiled_once(folder: Path) -> None:
    assert made(folder) == made(folder) == (b"int one;", 1)


def test_other_sources_arguments_and_compilers_are_compiled(folder: Path) -> None:
    made(folder)
    (folder / "source.c").write_text("int two;")
    assert made(folder) == (b"int two;", 2)
    assert made(folder, arguments=("cp", "-p", "source.c", "made")) == (b"int two;", 3)
    assert made(folder, Toolchain(NOTED.command, "2.0")) == (b"int two;", 4)
    (folder / "header.h").touch()
    assert made(folder) == (b"int two;", 5)


def test_without_a_cache_everything_is_compiled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B2NN_CACHE_MIB", "0")
    assert (made(folder), made(folder)) == ((b"int one;", 1), (b"int one;", 2))


def test_a_compiler_that_fails_leaves_nothing(folder: Path) -> None:
    for _ in range(2):
        with pytest.raises(ToolchainError, match="failed with status 1"):
            compile_once(NOTED, ("false",), folder=folder, output="made")
    assert made(folder) == (b"int one;", 3)
