"""Both networks of a real file, compiled and measured here; what the clock says is not looked at, but for its sign."""

import numpy as np
import pytest

from b2nn_tvm.costs.eligibility import NARROW_GROUPS
from b2nn_tvm.costs.table import CostTable
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.what_if.measure_forms import what_if
from b2nn_tvm.what_if.result import ACCURACY
from tests.support.networks.float_network import float_network
from tests.support.networks.onnx_models import model, save

pytestmark = pytest.mark.usefixtures("short_measurements")


@pytest.fixture(scope="module")
def phases():
    return []


@pytest.fixture(scope="module")
def found(tmp_path_factory, phases):
    path = save(tmp_path_factory.mktemp("net"), float_network(), "odd.onnx")
    return what_if(path, progress=lambda phase, done, total: phases.append((phase, done, total)))


def test_every_convolution_is_listed_with_both_times_or_the_reason(found):
    rows = {layer.name: layer for layer in found.layers}
    assert list(rows) == ["/stem/Conv", "Conv_3", "odd name", "/up/up.0/conv/Conv", "last"]
    assert rows["/stem/Conv"].reason == "first convolution" and rows["/stem/Conv"].binary_ms is None
    assert rows["/up/up.0/conv/Conv"].reason == NARROW_GROUPS
    for name in ("Conv_3", "odd name", "last"):
        assert rows[name].binary_ms > 0 and rows[name].reason == ""
    assert all(layer.float_ms > 0 and layer.macs > 0 for layer in found.layers)
    assert rows["Conv_3"].workload == "conv2d_n1_c8_h9_w8_o8_k3x3_s2x2_p1x0x1x1_d1x1_g1"


def test_the_front_has_measured_ends(found):
    assert found.front[0].binary == () and found.front[-1].binary == ("Conv_3", "odd name", "last")
    assert [row.measured for row in found.front] == [True, *[False] * (len(found.front) - 2), True]
    networks = [row for row in found.costs if not hasattr(row, "layer")]
    assert [row.ms for row in networks] == [found.front[0].ms, found.front[-1].ms]


def test_the_rows_fit_a_cost_table(found):
    table = CostTable().add(found.costs)
    assert {row.binary for row in table.networks} == {(), ("Conv_3", "odd name", "last")}
    precisions = {(row.layer, row.precision) for row in table.layers}
    assert {("Conv_3", "float"), ("Conv_3", "binary"), ("/stem/Conv", "float")} <= precisions
    assert {row.model for row in table.networks} == {"odd.onnx"} == {found.model}


def test_it_says_what_it_does_not_know_and_how_far_it_is(found, phases):
    assert found.accuracy == ACCURACY and "unknown" in ACCURACY
    finished = dict.fromkeys(phase for phase, done, total in phases if done == total)
    assert list(finished) == ["compile both networks", "measure the networks in turn", "measure the layers in turn"]


def test_a_network_without_a_layer_to_choose_is_refused(tmp_path):
    only = model('["only"] output = Conv (input, w)', {"w": np.ones((2, 4, 1, 1), np.float32)})
    path = save(tmp_path, only)
    with pytest.raises(UnsupportedError, match=r"may become binary: only \(its weights are already binary\)"):
        what_if(path)
