import numpy as np

from b2nn_tvm.provenance.layer_names import LayerNamer, NamedLayer, weight_digest

ONES = np.ones((2, 3, 1, 1), np.float32)
RAMP = np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1)


def test_equal_weights_get_their_names_in_order_and_further_ones_a_number():
    layers = [
        NamedLayer(name, "conv2d", weight_digest(w)) for name, w in (("a", ONES), ("ramp", RAMP), ("b", 2 * ONES))
    ]
    namer = LayerNamer([*layers, NamedLayer("computed", "conv2d", "")])
    weights = [RAMP, ONES, ONES, None, ONES, None]
    assert [namer.name(w) for w in weights] == ["ramp", "a", "b", "computed", "unnamed1", "unnamed2"]


def test_shape_and_values_make_the_digest():
    mixed = ONES * np.array([1, -1, 1], np.float32).reshape(1, 3, 1, 1)
    digests = {
        weight_digest(w) for w in (ONES, mixed, ONES.reshape(2, 1, 3, 1), RAMP, RAMP * 2, RAMP.astype(np.float64) + 1)
    }
    assert len(digests) == 6
    assert weight_digest(-mixed) == weight_digest(mixed)
    assert weight_digest(np.asfortranarray(RAMP)) == weight_digest(RAMP)
    assert weight_digest(RAMP.astype(np.float64)) == weight_digest(RAMP)


def test_a_layer_that_is_added_later():
    namer = LayerNamer([])
    weight = np.ones((2, 3, 1, 1), np.float32)
    namer.add(NamedLayer("part", "dense", weight_digest(weight)))
    assert namer.name(weight) == "part"
    assert namer.kinds == {"part": "dense"}
