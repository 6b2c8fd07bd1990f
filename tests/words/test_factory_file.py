"""A function that a file lacks is noticed without running the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.words.factory_file import complaint, is_factory

NETS = """
raise SystemExit("this is never run")
import torch
from torch.nn import Sequential as Chain

class Net:
    def forward(self): ...

def _helper(): ...
def make_net(classes): ...
if torch:
    def in_a_branch(): ...
other = make_net
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "star.py").write_text("from nets import *\n")
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "empty.py").write_text("")


@pytest.mark.parametrize(
    "word",
    ["nets.py:make_net", "./nets.py:other", "nets.py:Net", "nets.py:Chain", "nets.py:in_a_branch", "star.py:anything"],
)
def test_what_may_be_there_is_left_to_the_import(word: str) -> None:
    assert complaint(word) is None


@pytest.mark.parametrize("word", ["broken.py:make_net", "cresnet20", "nets:make_net", "timm:resnet18"])
def test_other_words_are_for_others(word: str) -> None:
    assert complaint(word) is None


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("nets.py", "nets.py is a file: name the function in it that is meant, such as nets.py:make_net"),
        ("./empty.py", "./empty.py is a file: name the function in it that is meant, such as ./empty.py:make_network"),
        ("nets.py:mak_net", "nets.py has no function 'mak_net' (did you mean make_net?); it has make_net, Net"),
        ("empty.py:make_net", "empty.py has no function 'make_net'; it has none"),
        ("net.py:make_net", "there is no file net.py"),
        ("net.py", "there is no file net.py"),
        ("nets", "nets.py is a file: name the function in it that is meant, such as nets.py:make_net"),
        ("nets.py::make_net", "'nets.py::make_net' names no function (did you mean nets.py:make_net?)"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(word: str, text: str) -> None:
    assert complaint(word) == text


def test_a_factory_is_a_module_or_a_file_and_a_name() -> None:
    for word in ("nets:make_net", "pkg.nets:make_net", "folder/nets.py:make_net"):
        assert is_factory(word)
    for word in ("nets", "timm:resnet18", ":make_net", "nets:", "nets:Net.make", "https://x.org/a.zip", "C:\\nets:a b"):
        assert not is_factory(word)
