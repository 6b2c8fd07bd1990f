"""A file that is no network is answered with what takes it."""

from __future__ import annotations

import pytest

from b2nn_tvm.words.file_in_place import file_in_place_of_network


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("net.onnx", "b2nn-profile net.onnx --what-if"),
        ("runs/float.PT", "--checkpoint"),
        ("model.safetensors", "--checkpoint"),
    ],
)
def test_what_takes_the_file_is_named(word: str, part: str) -> None:
    assert part in (file_in_place_of_network(word) or "")


@pytest.mark.parametrize("word", ["cresnet20", "nets.make_net", "nets.py:make_net", "timm:resnet18.a1_in1k", "onnx"])
def test_other_words_are_for_others(word: str) -> None:
    assert file_in_place_of_network(word) is None
