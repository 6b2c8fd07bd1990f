import pytest

from b2nn_tvm.what_if.result import Layer, WholeTimes, mixtures, whole_savings

LAYERS = (
    Layer("stem", "", 100, 1.0, None, "first convolution"),
    Layer("pays", "", 200, 4.0, 1.0),
    Layer("does not", "", 50, 0.2, 0.3),
    Layer("pays a bit", "", 50, 0.8, 0.4),
)
FLOAT = WholeTimes(6.5, {"stem": 1.0, "pays": 4.0, "does not": 0.2, "pays a bit": 0.8, "relu": 0.5})
BINARY = WholeTimes(3.0, {"stem": 1.0, "pays": 1.0, "does not": 0.3, "pays a bit": 0.4, "pool": 0.3})


def test_a_saving_is_the_difference_of_both_forms():
    assert [layer.saving_ms for layer in LAYERS] == [None, 3.0, pytest.approx(-0.1), pytest.approx(0.4)]


def test_savings_make_up_what_the_whole_networks_differ_by():
    savings = whole_savings(LAYERS[1:], all_float=FLOAT, all_binary=BINARY)
    assert sum(savings.values()) == pytest.approx(3.5)
    # 0.2 ms more than the layers' own savings, by multiply-accumulates
    assert savings == pytest.approx(
        {"pays": 3.0 + 0.2 * 200 / 300, "does not": -0.1 + 0.2 / 6, "pays a bit": 0.4 + 0.2 / 6}
    )


def test_layer_times_are_scaled_to_the_whole():
    slower = WholeTimes(13.0, FLOAT.layer_ms)
    savings = whole_savings(LAYERS[1:2], all_float=slower, all_binary=WholeTimes(6.0, BINARY.layer_ms))
    assert savings == {"pays": pytest.approx(7.0)}


def test_the_ends_are_measured_and_all_between_is_predicted():
    found = mixtures(LAYERS, all_float=FLOAT, all_binary=BINARY)
    assert (found[0].binary, found[0].ms, found[0].float_macs, found[0].measured) == ((), 6.5, 1.0, True)
    assert (found[-1].binary, found[-1].ms, found[-1].measured) == (("pays", "does not", "pays a bit"), 3.0, True)
    assert found[-1].float_macs == pytest.approx(100 / 400)
    between = found[1:-1]
    assert [row.binary for row in between] == [("pays a bit",), ("pays",), ("pays", "pays a bit")]
    assert not any(row.measured for row in between)
    savings = whole_savings(LAYERS[1:], all_float=FLOAT, all_binary=BINARY)
    for row in between:
        assert row.ms == pytest.approx(6.5 - sum(savings[name] for name in row.binary))
    assert between[-1].ms < found[-1].ms, "the layer that does not pay stays float"


def test_a_network_in_which_every_layer_stays_float_has_one_row():
    (only,) = mixtures(LAYERS[:1], all_float=FLOAT, all_binary=BINARY)
    assert only.measured and only.ms == 6.5
