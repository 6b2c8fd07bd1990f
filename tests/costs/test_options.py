"""Options are layers in a precision, and the plain name of a layer is its binary option."""

import pytest

from b2nn_tvm.costs.options import layer_of, option, precision_of, precisions_of
from b2nn_tvm.costs.precisions import BITS
from b2nn_tvm.errors import InputError


@pytest.mark.parametrize("precision", sorted(BITS))
@pytest.mark.parametrize("layer", ["conv1", "a.b", "at@home", "x@int8@y"])
def test_an_option_keeps_its_layer_and_its_precision(layer, precision):
    found = option(layer, precision)
    assert (layer_of(found), precision_of(found)) == (layer, precision)
    assert (found == layer) == (precision == "binary")


def test_a_choice_has_one_precision_per_layer():
    assert precisions_of(("a", "b@int8", "c@w1a2")) == {"a": "binary", "b": "int8", "c": "w1a2"}
    with pytest.raises(InputError, match="a is to be binary and int8"):
        precisions_of(("a", "b", "a@int8"))
