"""What is drawn: ordinary inputs, those at the borders, and such as are not finite."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.deploy.codegen.program import TensorSpec
from b2nn_tvm.verification.draw_inputs import Draw, draw_inputs
from b2nn_tvm.verification.input_uses import Use

SHAPE = (20, 50)


def drawn(dtype: str, kind: Draw = Draw.NORMAL, **options) -> np.ndarray:
    value = draw_inputs([TensorSpec("x", SHAPE, dtype)], np.random.default_rng(0), kind, **options)["x"]
    assert (value.shape, value.dtype) == (SHAPE, dtype)
    return value


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats(dtype):
    assert 0.9 < drawn(dtype).std() < 1.1 and np.isfinite(drawn(dtype)).all()
    special = drawn(dtype, Draw.NOT_FINITE)
    assert np.isnan(special).any() and (special == np.inf).any() and (special == -np.inf).any()
    assert np.isfinite(special).mean() > 0.8
    thresholds = np.array([0.3, -2, np.nan, np.inf])
    borders = drawn(dtype, Draw.BORDERS, thresholds=thresholds)
    zeros = borders[borders == 0]
    assert np.signbit(zeros).any() and not np.signbit(zeros).all()
    own = thresholds[:2].astype(dtype)
    around = [np.nextafter(own, np.array(side, dtype)) for side in (-np.inf, np.inf)]
    tiny = np.finfo(dtype).smallest_subnormal
    assert np.isin([*own, *around[0], *around[1], tiny, -tiny], borders).all()
    assert np.isfinite(borders).all()


def test_integers_keep_to_their_use():
    use = Use(-5, 4, nonzero=True)
    normal = drawn("int64", uses={"x": use})
    assert (normal.min(), normal.max()) == (-5, 4) and normal.all()
    assert drawn("int64", Draw.BORDERS, uses={"x": use}).all()
    whole = np.iinfo(np.int32)
    borders = drawn("int32", Draw.BORDERS, uses={"x": Use(whole.min, whole.max)})
    assert (borders.min(), borders.max()) == (whole.min, whole.max)
    assert set(np.unique(drawn("uint8", uses={"x": Use(0, 255)}))) > {0, 255, 128}


def test_the_timid_draw_no_integers_but_0_and_1_where_nothing_is_known():
    guess, known = Use(-9, 9, known=False), Use(-9, 9)
    assert set(np.unique(drawn("int64", uses={"x": guess}, timid=True))) == {0, 1}
    assert len(np.unique(drawn("int64", uses={"x": known}, timid=True))) == 19
    assert set(np.unique(drawn("bool"))) == {False, True}
    assert set(np.unique(drawn("int64"))) == {0, 1}


def test_draws_of_one_seed_are_the_same():
    for kind in Draw:
        np.testing.assert_array_equal(drawn("float32", kind), drawn("float32", kind))
