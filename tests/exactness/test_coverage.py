"""What the cross product of the exactness tests covers."""

from collections import Counter

import numpy as np
import pytest

from tests.support.exactness.check import INSTRUCTION_SETS
from tests.support.exactness.kinds import BITS, BOTH, OTHERS
from tests.support.exactness.networks import PARTS, cells, chosen_cells, cross_product, dense, large_sums, rectangles
from tests.support.networks.binary_networks import CHANNELS, KERNELS, VARIANTS

CELLS = [(one, kinds) for kernel in KERNELS for part in range(PARTS) for one, kinds in cells(kernel, part)]


@pytest.mark.sweep
def test_there_are_5000_cases():
    """A case is one compared output tensor of one compiled network."""
    networks = [cross_product(kernel, part, 0) for kernel in KERNELS for part in range(PARTS)]
    networks += [large_sums(0), rectangles(0), dense(0)]
    assert len(INSTRUCTION_SETS) * sum(len(network.expected) for network in networks) >= 5000


def test_every_shape_is_there_once():
    shapes = [(one.workload.in_channels, one.workload.kernel[0]) for one, _ in CELLS]
    assert Counter(shapes) == {(channels, kernel): len(VARIANTS) for channels in CHANNELS for kernel in KERNELS}
    assert {one.workload.batch for one, _ in CELLS} == {1, 3}
    assert {one.workload.out_channels for one, _ in CELLS} == set(CHANNELS)


def test_every_kind_of_output_meets_every_stride_dilation_and_padding():
    """Kinds that share their code are one."""
    assert variants_of_kinds(CELLS) == {group: set(VARIANTS) for group in ("bits", "both", "others")}
    turns = turns_of_others(CELLS)
    assert set(turns) == set(OTHERS) and min(turns.values()) >= 6


def test_so_it_does_without_the_sweep():
    """And every number of channels is there."""
    first = [cell for kernel in KERNELS for cell in chosen_cells(kernel)]
    assert variants_of_kinds(first) == {group: set(VARIANTS) for group in ("bits", "both", "others")}
    assert set(turns_of_others(first)) == set(OTHERS)
    assert {one.workload.in_channels for one, _ in first} == set(CHANNELS)


def variants_of_kinds(cells):
    """The strides, dilations and paddings that each group of kinds meets."""
    seen = {}
    for one, kinds in cells:
        group = "bits" if kinds is BITS else "both" if kinds is BOTH else "others"
        seen.setdefault(group, set()).add((one.workload.stride[0], one.workload.dilation[0], one.pad_value))
    return seen


def turns_of_others(cells):
    """How often each kind stands that is code of its own."""
    return Counter(name for _, kinds in cells for name in kinds if kinds is not BITS and kinds is not BOTH)


def test_the_inputs_hold_what_signs_are_made_of():
    network = cross_product(3, 0, 0)
    values = np.concatenate([x.reshape(-1) for x in network.inputs.values()])
    assert np.isnan(values).any() and np.isinf(values).any() and (values == 0.5).any()
    assert (values == 0).any() and np.signbit(values[values == 0]).any() and not np.signbit(values[values == 0]).all()
    assert all(np.unique(expected).size > 1 for expected in network.expected.values() if expected.size > 20)
