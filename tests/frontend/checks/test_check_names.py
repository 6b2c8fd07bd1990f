"""Names are text; those that callers see stand on one line; path separators are only characters."""

from __future__ import annotations

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_names import LONGEST_NAME, check_names, printable, quoted
from b2nn_tvm.frontend.read_onnx import load_model
from tests.support.networks.onnx_models import model, save


def named(old: str, new: str):
    """A model with another name in place of ``old``."""
    built = model("a = Relu (input) output = Relu (a)")
    content = built.SerializeToString()
    assert len(old.encode()) == len(new.encode())
    return type(built).FromString(content.replace(old.encode(), new.encode()))


@pytest.mark.parametrize("name", ["../up", "/etc/", "a/b:0", "größ", "a=b c", r"c:\x1"])
def test_names_of_inputs_that_are_taken(name, tmp_path):
    built = named("input", name) if len(name.encode()) == 5 else named("output", name)
    check_names(built)
    loaded = load_model(save(tmp_path, built))
    assert name in {loaded.graph.input[0].name, loaded.graph.output[0].name}


@pytest.mark.parametrize("name", ["in\nut", "in\0ut", "\x1bnput", "in\rut", "in\tut"])
def test_control_characters_in_inputs_are_refused(name, tmp_path):
    with pytest.raises(InputError, match="of an input or output has the end of a line") as caught:
        load_model(save(tmp_path, named("input", name)))
    assert name not in str(caught.value) and repr(name) in str(caught.value)


def test_names_of_nodes_are_printable(tmp_path):
    built = model("a = Relu (input) output = Relu (a)")
    built.graph.node[0].name, built.graph.node[1].name = "up\n../down", "up_../down"
    assert [node.name for node in load_model(save(tmp_path, built)).graph.node] == ["up_../down", "up_../down#2"]


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(model("output = Relu (input)").SerializeToString().replace(b"input", b"in\xff\xfeu"))
    with pytest.raises(InputError, match="is no text in UTF-8"):
        load_model(path)


def test_long_names():
    built = model("output = Relu (input)")
    built.graph.node[0].name = "x" * LONGEST_NAME
    check_names(built)
    built.graph.node[0].name += "x"
    with pytest.raises(InputError, match=f"has {LONGEST_NAME + 1} characters") as caught:
        check_names(built)
    assert len(str(caught.value)) < 200


def test_how_names_are_shown():
    assert quoted("a\nb") == r"'a\nb'" and quoted(b"\xff") == r"b'\xff'"
    assert len(quoted("x" * 1000)) <= 80
    assert printable("a\n\tb\u00e9/") == "a__b\u00e9/"
