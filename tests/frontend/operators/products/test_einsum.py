"""Einsum of two tensors as a product of matrices."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.frontend.operators.products.einsum import read_product
from tests.support.networks.operators import compiled, operators_model
from tests.support.passes.relax_functions import random_input

X, Y = random_input((2, 3, 4, 5)), random_input((2, 3, 6, 5), 1)
CONSTANTS = {"w": random_input((7, 3), 2), "v": random_input((3, 6, 2), 3)}
EQUATIONS = {
    "pointwise": ("bchw,oc->bohw", ["x", "w"]),
    "reversed": ("oc,bchw->bhwo", ["w", "x"]),
    "two axes": ("bchw, chd -> bdw", ["k", "u"]),
    "attention": ("bhqd,bhkd->bhqk", ["x", "y"]),
    "moved batch": ("bhqd,bhkd->hkqb", ["x", "y"]),
    "left to TVM": ("bchw,bchw->bch", ["x", "x"]),
}


def test_the_values(tmp_path):
    tensors = {"x": X, "y": Y, **CONSTANTS, "k": X[:, :, :, 1:3], "u": random_input((3, 4, 2), 4)}
    nodes = {
        name.replace(" ", "_"): ("Einsum", inputs, {"equation": equation})
        for name, (equation, inputs) in EQUATIONS.items()
    }
    inputs = {name: tensors[name] for name in "xyk"}
    constants = {name: tensors[name] for name in "wu"}
    found = compiled(tmp_path, operators_model(nodes, inputs, constants), inputs)
    for name, (equation, names) in EQUATIONS.items():
        expected = np.einsum(equation, *(tensors[each] for each in names))
        np.testing.assert_allclose(found[name.replace(" ", "_")], expected, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "equation",
    [
        *("ij->ji", "ii,ij->j", "ij,jk", "...ij,jk->...ik", "ij,jk,kl->il", "ij,kl->ijkl"),
        "i,i->",
        "ij,jk->i",  # k is a sum over one of the two
    ],
)
def test_what_is_no_product_of_two_matrices(equation):
    assert read_product({"equation": equation.encode()}) is None


def test_the_letters():
    product = read_product({"equation": "bhqd,bhkd->bhqk"})
    assert (product.batch, product.rows, product.columns, product.summed) == ("bh", "q", "k", "d")
