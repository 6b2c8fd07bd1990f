"""Options that are words: what is taken, what is meant, what the shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from b2nn_tvm.cli.options.word import Network, Precisions, Target, Word, check_budgets, check_data, check_words
from b2nn_tvm.targets import target
from b2nn_tvm.words.choices import CLASSIFIERS, METHODS
from tests.support.paths import ROOT


def test_words_are_taken_as_they_are() -> None:
    assert Word("method", METHODS).convert("front", None, None) == "front"
    for word in ("cresnet20", "nets:make_net", f"{__file__}:test_words_are_taken_as_they_are", "timm:resnet18"):
        assert Network().convert(word, None, None) == word
    for word in ("rpi4", "aarch64", "native"):
        assert Target().convert(word, None, None) == word
    check_words(["front", "rear"], "method", METHODS, option="--methods")
    check_budgets(["12ms", "40%flops"])


@pytest.mark.parametrize(
    ("kind", "word", "message"),
    [
        (
            Word("method", METHODS),
            "fronts",
            r"unknown method 'fronts' \(did you mean front\?\); choose one of mixbin-loss",
        ),
        (Network(), "resnet-18", r"there is no network 'resnet-18' \(did you mean resnet18\?\)"),
        (Network(), "nets.make_net", r"\(did you mean nets:make_net\?\)"),
        (Network(), "resnet", r"timm:NAME, or your own as pkg.module:factory or folder/file.py:factory"),
        (Network(), __file__, r"test_word.py is a file: name the function in it that is meant, such as .*:test_"),
        (Network(), f"{__file__}:make_net", "test_word.py has no function 'make_net'; it has test_"),
        (Network(), "siamfc", "features, not class scores"),
        *((Network(), word, f"there is no network '{word}'") for word in ("timm:", ":make_net", "nets:Net.make")),
        (Target(), "rpi44", "rpi44.*rpi4"),
    ],
)
def test_words_that_are_none(kind: click.ParamType, word: str, message: str) -> None:
    with pytest.raises(click.BadParameter, match=message):
        kind.convert(word, None, None)


def test_data_is_a_name_a_path_or_a_factory(tmp_path: Path) -> None:
    for word in ("digits", str(tmp_path), "pkg.module:factory"):
        check_data(word, option="--data")
    with pytest.raises(click.BadParameter, match=r"test_word.py has no function 'photos'"):
        check_data(f"{__file__}:photos", option="--data")
    with pytest.raises(click.BadParameter, match=r"there is no file or folder 'shape', .*\(did you mean shapes\?\)"):
        check_data("shape", option="--data")
    with pytest.raises(click.BadParameter, match="there is no file or folder '~nobody-of-this-name/pets'"):
        check_data("~nobody-of-this-name/pets", option="--data")
    with pytest.raises(click.BadParameter, match="https://x.org/pets.zip is an address, and nothing is downloaded"):
        check_data("https://x.org/pets.zip", option="--data")


def test_one_of_several_sets_of_idx_files_is_data(tmp_path: Path) -> None:
    (tmp_path / "emnist-balanced-train-images-idx3-ubyte.gz").touch()
    check_data(str(tmp_path / "emnist-balanced"), option="--data")
    with pytest.raises(click.BadParameter, match="there is no file or folder"):
        check_data(str(tmp_path / "emnist-letters"), option="--data")


def test_the_shell_completes_them() -> None:
    complete = lambda kind, start: [item.value for item in kind.shell_complete(None, None, start)]
    assert complete(Network(), "cr") == ["cresnet20"] and complete(Network(), "") == list(CLASSIFIERS)
    assert complete(Target(), "rpi") == [name for name in target.names() if name.startswith("rpi")] != []


@pytest.mark.parametrize(
    ("program", "words", "found"),
    [
        ("b2nn-search", "b2nn-search --method mixbin-l", "mixbin-loss"),
        ("b2nn-compile", "b2nn-compile --target rpi", "rpi4"),
        ("b2nn", "b2nn sea", "search"),
    ],
)
def test_completion_works_as_documented(program: str, words: str, found: str) -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    assert f'eval "$({variable}=bash_source {program})"' in page
    module = "main" if program == "b2nn" else program.removeprefix("b2nn-")
    code = f"import sys; sys.argv = [{program!r}]; from b2nn_tvm.cli.{module} import main; main()"
    asked = {variable: "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"plain,{found}" in done.stdout.splitlines(), done


def test_precisions_are_bits_or_words() -> None:
    assert Precisions().convert("8,1,32", None, None) == ("binary", "int8", "float")
    with pytest.raises(click.BadParameter, match="unknown precision '4'"):
        Precisions().convert("1,4,32", None, None)
