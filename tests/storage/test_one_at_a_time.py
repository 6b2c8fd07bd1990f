"""Two pieces of work do not write into one folder at the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.storage.one_at_a_time import LOCK, alone_in, alone_in_output

HOLD = """
import sys
from pathlib import Path
from b2nn_tvm.storage.one_at_a_time import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "result")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_another_process_is_told_who_works_there(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(InputError, match=rf"result: another .* \(process {holder.pid}\); wait .* with -o$"):
        alone_in(tmp_path / "result").__enter__()
    with alone_in(tmp_path / "other"):
        pass
    holder.communicate()
    with alone_in(tmp_path / "result"):
        assert (tmp_path / "result" / LOCK).read_text() == str(os.getpid())


def test_a_killed_process_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "result" / LOCK).exists()
    with alone_in(tmp_path / "result"):
        assert (tmp_path / "result" / LOCK).read_text() == str(os.getpid())


def test_what_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    with alone_in(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / LOCK).is_file()
    assert not list(tmp_path.iterdir())
    with alone_in(tmp_path / "a"):
        (tmp_path / "a" / "plan.json").write_text("{}")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["plan.json"]


def test_a_place_where_nothing_can_be_written_is_for_the_work_to_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with alone_in(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == ""


def test_a_function_holds_the_folder_of_its_output(tmp_path: Path) -> None:
    @alone_in_output
    def work(word: str, *, output: object) -> str:
        if output == tmp_path:
            work(word, output=output)  # as a second thread would
        return word

    assert work("a", output=str(tmp_path / "result")) == "a" and work("a", output=3) == "a"
    with pytest.raises(InputError, match="another search or study works in this folder"):
        work("a", output=tmp_path)
