"""One thing is one thing, and none are several."""

from __future__ import annotations

import pytest

from b2nn_tvm.words.number_of import number_of


@pytest.mark.parametrize(("count", "words"), [(0, "0 layers"), (1, "1 layer"), (2, "2 layers")])
def test_one_is_singular_and_all_other_numbers_are_plural(count: int, words: str) -> None:
    assert number_of(count, "layer") == words


def test_words_that_do_not_end_in_an_s_are_given() -> None:
    assert number_of(2, "file or folder", "files and folders") == "2 files and folders"
