from dataclasses import dataclass

import pytest

from b2nn_tvm.costs.counted import bytes_cost, flops_cost
from b2nn_tvm.costs.options import precision_of
from b2nn_tvm.costs.precisions import counted_flops
from b2nn_tvm.errors import InputError
from b2nn_tvm.workload import ConvWorkload


@dataclass(frozen=True)
class Row:
    name: str
    workload: ConvWorkload | None
    eligible: bool


ROWS = (
    Row("stem", ConvWorkload(1, 3, 8, 8, 16, (3, 3), padding=(1, 1, 1, 1)), False),
    Row("a", ConvWorkload(1, 16, 8, 8, 16, (3, 3), padding=(1, 1, 1, 1)), True),
    Row("b", ConvWorkload(1, 12, 8, 8, 16, (1, 1)), True),
    Row("fc", None, False),
)


def test_flops_count_a_binary_conv_as_macs_over_64():
    total = 1_000_000
    cost = flops_cost(ROWS, total=total)
    macs = 8 * 8 * 16 * 16 * 9
    assert cost.names == ("a", "b")
    assert cost.full == total
    assert cost.total(["a"]) == total - macs + macs // 64
    assert cost.fixed_parts == {"stem": 8 * 8 * 16 * 3 * 9}


def test_resnet20_has_the_printed_counts():
    """MixBin's cResNet-20: 4.14e7 full, 1.93e6 with all 18 convs binary."""
    shapes = (
        [(16, 16, 32, 1)] * 6 + [(16, 32, 32, 2)] + [(32, 32, 16, 1)] * 5 + [(32, 64, 16, 2)] + [(64, 64, 8, 1)] * 5
    )
    rows = [
        Row(f"conv{i}", ConvWorkload(1, c, size, size, o, (3, 3), (s, s), (1, 1, 1, 1)), True)
        for i, (c, o, size, s) in enumerate(shapes)
    ]
    cost = flops_cost(rows, total=41_408_768)
    assert cost.full == 41_408_768
    assert cost.minimum() == 1_927_424


def test_bytes_count_packed_taps_and_scales():
    cost = bytes_cost(ROWS, total=100_000)
    assert cost.float_cost["a"] == 16 * 16 * 9 * 4
    assert cost.binary_cost["a"] == 16 * 16 * 9 // 8 + 16 * 4
    assert cost.binary_cost["b"] == 16 * 2 + 16 * 4  # 12 channels take two bytes
    assert cost.full == 100_000


def test_a_total_below_its_layers_is_refused():
    with pytest.raises(InputError, match="less than the sum"):
        flops_cost(ROWS, total=10)


def test_options_count_by_their_bits():
    workload = ConvWorkload(1, 20, 8, 8, 16, (3, 3))
    layers = [Row("a", workload, True), Row("b", workload, False)]
    options = ("a", "a@w2a2", "b@int8")
    flops = flops_cost(layers, total=10**9, options=options)
    assert flops.binary_cost == {name: counted_flops(workload.macs, precision_of(name)) for name in options}
    assert flops.float_cost == {"a": workload.macs, "b": workload.macs} and not flops.fixed_parts
    stored = bytes_cost(layers, total=10**9, options=options)
    assert stored.total(("b@int8",)) == 10**9 - 3 * workload.weights + 4 * workload.out_channels
