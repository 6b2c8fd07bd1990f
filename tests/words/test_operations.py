"""Kernels that are of no layer are told in words."""

from __future__ import annotations

from b2nn_tvm.words.operations import in_words, name_shown


def test_operations_are_words_and_not_names_of_functions() -> None:
    noted = ("max_pool2d", "scale", "maximum", "log_softmax", "pack for conv3")
    assert in_words(noted) == "max pooling + scale + lower limit + log softmax + pack for conv3"
    assert in_words(()) == ""


def test_a_step_without_a_layer_has_its_number() -> None:
    assert (
        name_shown("max_pool2d_scale#9", "max_pool2d_scale", ("max_pool2d", "scale")) == "max pooling + scale, step 9"
    )
    for name in ("conv1", "conv2d#x", "stage#1"):
        assert name_shown(name, "conv2d", ("conv2d", "shift")) == name
