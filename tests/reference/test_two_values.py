import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.reference.two_values import two_values


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_xnor_is_the_sign_and_the_mean_magnitude():
    weight = np.array([[0.5, -1.5], [-0.0, 2]], np.float32).reshape(2, 2, 1, 1)
    found = two_values(weight)
    assert found.offset is None
    np.testing.assert_array_equal(found.signs.reshape(2, 2), [[1, -1], [1, 1]])
    np.testing.assert_array_equal(found.scale, np.array([1, 1], np.float32))


@pytest.mark.parametrize("binarizer", ["xnor", "distribution-aware"])
@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (5, 8, 1, 1), (3, 1, 1, 1)])
def test_torch_has_the_same_two_values(binarizer, shape):
    torch = pytest.importorskip("torch", reason="the same rule in training; torch is of the extra train")
    from b2nn_tvm.mixbin.modules.binarizers import binarize

    weight = drawn(shape)
    theirs, ours = binarize(torch.from_numpy(weight), binarizer), two_values(weight, binarizer)
    np.testing.assert_array_equal(ours.signs, theirs.signs.numpy())
    np.testing.assert_allclose(ours.scale, theirs.scale.numpy(), rtol=1e-6)
    if theirs.offset is not None:
        np.testing.assert_allclose(ours.offset, theirs.offset.numpy(), rtol=1e-5, atol=1e-7)
    assert (ours.offset is None) == (theirs.offset is None)


def test_distribution_aware_has_the_least_squared_error_of_all_splits():
    weight = drawn((1, 2, 2, 2), seed=3)
    found = two_values(weight, "distribution-aware")
    dense = found.signs * found.scale[:, None, None, None] + found.offset[:, None, None, None]
    ordered = np.sort(weight.reshape(-1))
    splits = [(ordered[:size], ordered[size:]) for size in range(1, 8)]
    errors = [sum(((part - part.mean()) ** 2).sum() for part in parts) for parts in splits]
    assert ((weight - dense) ** 2).sum() == pytest.approx(min(errors), rel=1e-5)


def test_an_unknown_binarizer_is_refused():
    with pytest.raises(InputError, match="there is no binarizer 'sharp'; choose one of xnor, distribution-aware"):
        two_values(drawn((1, 1, 1, 1)), "sharp")
