"""The command: a line for each photo, and one line that says what is wrong."""

from __future__ import annotations

import pytest
from b2nn_runtime.__main__ import main

from tests.support.deploy.photos import picture


def test_photos_are_named(photo_net, tmp_path, capsys):
    for name in ("a.png", "b.png"):
        picture(50, 60).save(tmp_path / name)
    assert main([str(photo_net), str(tmp_path / "a.png"), str(tmp_path / "b.png")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.removeprefix(f"{tmp_path}/a.png: ") == second.removeprefix(f"{tmp_path}/b.png: ")
    assert first.count("%") == 3


@pytest.mark.parametrize(("words", "status"), [([], 2), (["net"], 2), (["none", "a.png"], 1)])
def test_what_is_wrong_is_said(words, status, capsys):
    assert main(words) == status
    assert len(capsys.readouterr().err.splitlines()) == 1
