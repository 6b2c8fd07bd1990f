"""The public names of the package are loaded when they are first used."""

from __future__ import annotations

import pytest

import b2nn_tvm


def test_every_public_name_is_there():
    assert all(getattr(b2nn_tvm, name) is not None for name in b2nn_tvm.__all__)
    assert issubclass(b2nn_tvm.B2nnError, Exception) and b2nn_tvm.__version__[0].isdigit()


def test_names_are_those_of_their_modules():
    from b2nn_tvm.mixbin.network.flops import flops
    from b2nn_tvm.models import resnet18

    assert b2nn_tvm.flops is flops
    assert b2nn_tvm.models.resnet18 is resnet18


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="module 'b2nn_tvm' has no attribute 'compile'"):
        _ = b2nn_tvm.compile
