import numpy as np
import pytest

from b2nn_tvm.passes.patterns.sign_terms import BOX_SUM, SECOND_PLANE, sign_terms
from tests.support.passes.relax_functions import random_signs

RNG = np.random.default_rng(0)
SIGNS = random_signs((5, 4, 3, 3))
SCALE = RNG.uniform(0.5, 2, (5, 1, 1, 1)).astype(np.float32)
SHIFT = RNG.uniform(-1, 1, (5, 1, 1, 1)).astype(np.float32)
TERNARY = RNG.integers(-1, 2, (5, 4, 3, 3)).astype(np.float32)


def total(terms):
    return sum(term.signs * term.scale.reshape(-1, 1, 1, 1) for term in terms)


@pytest.mark.parametrize(
    ("weight", "suffixes"),
    [
        (SIGNS * SCALE, [""]),
        (SIGNS * SCALE + SHIFT, ["", BOX_SUM]),
        (TERNARY * SCALE, ["", SECOND_PLANE]),
        (np.where(TERNARY > 0, SCALE, 0), ["", BOX_SUM]),
        (np.concatenate([(SIGNS * SCALE + SHIFT)[:2], 0 * SIGNS[:1], 3 + 0 * SIGNS[:1]]), ["", BOX_SUM]),
        (np.concatenate([TERNARY[:2], 0 * SIGNS[:1], SIGNS[:1]]), ["", SECOND_PLANE]),
    ],
)
def test_the_terms_are_signs_whose_sum_is_the_weights(weight, suffixes):
    terms = sign_terms(weight.astype(np.float32))
    assert [term.suffix for term in terms] == suffixes
    for term in terms:
        assert (np.abs(term.signs) == 1).all() and term.signs.dtype == term.scale.dtype == np.float32
        assert term.scale.shape == (len(weight),) and len(term.signs) in (1, len(weight))
    np.testing.assert_allclose(total(terms), weight, atol=1e-6)


@pytest.mark.parametrize(
    "weight",
    [
        RNG.standard_normal((2, 4, 3, 3)),
        np.concatenate([TERNARY[:1], (SIGNS * SCALE + SHIFT)[:1]]),
        RNG.standard_normal((3, 2, 1, 1)),  # any two numbers are two values
        np.where(TERNARY == 0, np.nan, TERNARY),
        TERNARY * (1 + 1e-3 * np.abs(RNG.standard_normal(TERNARY.shape))),
    ],
)
def test_other_weights_have_none(weight):
    assert sign_terms(weight.astype(np.float32)) == ()
