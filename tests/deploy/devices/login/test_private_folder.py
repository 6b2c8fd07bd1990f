"""The script of a login's first session, run by this machine's shell."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from b2nn_tvm.deploy.devices.login.destination import Destination
from b2nn_tvm.deploy.devices.login.private_folder import keeper


def begun(destination: Destination, *, home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["sh", "-c", keeper(destination)],
        env={**os.environ, "HOME": str(home), "TMPDIR": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("folder", ["", "~", "~/a b's"])
def test_the_folder_and_its_programs_go_with_the_session(tmp_path: Path, folder: str) -> None:
    (tmp_path / "a b's").mkdir()
    with begun(Destination("board", folder=folder), home=tmp_path) as session:
        made = Path(session.stdout.readline().strip())
        assert made.parent == tmp_path / folder.removeprefix("~").strip("/") and made.stat().st_mode & 0o777 == 0o700
        assert list(made.iterdir()) == []
        with subprocess.Popen(["sleep", "600"]) as program:
            (made / "run").mkdir()
            (made / "run" / "pid").write_text(str(program.pid))
            session.communicate()
            assert program.wait(60) == -9
    assert session.returncode == 0 and not made.exists()


def test_a_folder_that_is_not_there_is_named_with_others(tmp_path: Path) -> None:
    destination = Destination("board", folder=f"{tmp_path}/absent")
    with begun(destination, home=tmp_path) as session:
        output, errors = session.communicate()
    assert session.returncode == 1 and output == ""
    assert errors.startswith(f"error: nothing can be written to {tmp_path}/absent there (No such file or directory)")
    assert f"as in {destination.in_folder('~')} or {destination.in_folder('/var/tmp')}" in errors
