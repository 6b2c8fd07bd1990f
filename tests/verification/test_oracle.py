"""ONNX files in onnxruntime: what it computes, how close signs are to their thresholds, and what it cannot run."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from b2nn_tvm.verification.oracle import NoReference, Oracle, invalid
from tests.support.networks.onnx_models import model, save
from tests.support.networks.onnx_networks import IMAGE, Network, binary, binary_constants, constant

IMAGES = {"input": constant("x", (1, 4, 9, 7))}


@pytest.mark.parametrize("dtype", ["float", "float16", "double"])
@pytest.mark.parametrize(("sign_zero", "at_zero"), [("+1", 1), ("-1", -1)])
def test_sign_at_zero_and_of_nan(tmp_path, sign_zero, at_zero, dtype):
    """NaN is not at least 0, so its sign is -1; the result has the type of x."""
    network = Network("a = Sign (input) output = Neg (a)", {}, f"{dtype}[1,6] input", f"{dtype}[1,6] output", opset=11)
    x = np.array([[2, -0.5, 0.0, -0.0, np.nan, np.inf]], {"float": "float32", "double": "float64"}.get(dtype, dtype))
    output = Oracle(save(tmp_path, network.build()), sign_zero=sign_zero).run({"input": x})["output"]
    assert output.dtype == x.dtype
    np.testing.assert_array_equal(output, [[-1, 1, -at_zero, -at_zero, 1, -1]])


def test_bipolar_quant_is_exact(tmp_path):
    """It is +scale at 0 of both signs, and -scale for NaN."""
    network = Network(
        "a = qonnx.custom_op.general.BipolarQuant (input, s) output = Neg (a)",
        {"s": np.float32([[0.5, 2, 0.1, 0.3, 0.7]])},
        "float[1,5] input",
        "float[1,5] output",
        opset=11,
    )
    x = np.array([[1e-30, -1e-30, 0.0, -0.0, np.nan]], np.float32)
    output = Oracle(save(tmp_path, network.build())).run({"input": x})["output"]
    np.testing.assert_array_equal(output, -np.float32([[0.5, -2, 0.1, 0.3, -0.7]]))


def test_the_closest_tie_is_that_of_any_comparison(tmp_path):
    nodes = (
        "one = Constant <value_float = 1.0> () minus = Constant <value_float = -1.0> () zero = Constant <value_float ="
        " 0.0> () p = {compare} s = Where (p, one, minus) output = Relu (s)"
    )
    x = np.array([[[[1.0, -2.0], [4.0, 0.5]]]], np.float32)

    def tie(compare, dtype="float"):
        network = Network(
            nodes.replace("{compare}", compare), {"t": np.float32([[[[0.75], [3.0]]]])}, f"{dtype}[1,1,2,2] input"
        )
        return Oracle(save(tmp_path, network.build())).closest_tie({"input": x})

    assert tie("GreaterOrEqual (input, zero)") == 0.5 / 4
    assert tie("Less (input, one)") == 0
    assert tie("GreaterOrEqual (minus, input)") == 1 / 4
    assert tie("GreaterOrEqual (input, t)") == 0.25 / 4
    assert tie("Greater (input, zero)") == 0.5 / 4


def test_the_closest_tie_of_binary_convolutions_and_of_sign(tmp_path):
    x = constant("x", (1, 4, 9, 7))
    path = save(tmp_path, Network(binary("input", "output", "u", 4), binary_constants("u", 6, 4)).build())
    threshold = binary_constants("u", 6, 4)["u_t"].reshape(4, 1, 1)
    expected = np.abs(x - threshold).min() / np.abs(x).max()
    assert Oracle(path).closest_tie({"input": x}) == pytest.approx(expected, rel=1e-6)
    path = save(tmp_path, Network("a = Sign (input) output = Neg (a)").build())
    assert Oracle(path).closest_tie({"input": x}) == pytest.approx(np.abs(x).min() / np.abs(x).max(), rel=1e-6)
    assert Oracle(save(tmp_path, Network("output = Relu (input)").build())).closest_tie({"input": x}) == np.inf


def test_comparisons_of_integers_have_no_ties(tmp_path):
    network = Network(
        "a = Less (input, two) output = Cast <to = 1> (a)", {"two": np.array(2)}, "int64[5] input", "float[5] output"
    )
    assert Oracle(save(tmp_path, network.build())).closest_tie({"input": np.arange(5)}) == np.inf


# ---- files that onnxruntime does not run


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (
            "output = qonnx.custom_op.general.FloatQuant (input, one, one, one)",
            "it has no operator qonnx.custom_op.general::FloatQuant",
        ),
        ("output = Nonsense (input)", "it has no operator Nonsense"),
        (
            "a = Cast <to = 11> (input) b = Acosh (a) output = Cast <to = 1> (b)",
            "it has no kernel for Acosh of these types",
        ),
    ],
)
def test_a_file_that_onnxruntime_cannot_run(tmp_path, nodes, reason):
    path = save(tmp_path, model(nodes, {"one": np.float32(1)}, inputs=IMAGE))
    with pytest.raises(
        NoReference, match=f"onnxruntime cannot run model.onnx, .*: {reason}.*; compile it with --no-verify"
    ):
        Oracle(path)


def test_external_data(tmp_path):
    path = tmp_path / "external.onnx"
    network = Network(binary("input", "output", "u", 4), binary_constants("u", 6, 4))
    onnx.save(network.build(), path, save_as_external_data=True, location="elsewhere.bin", size_threshold=0)
    oracle = Oracle(path)
    assert oracle.run(IMAGES)["output"].shape == (1, 6, 9, 7)
    assert oracle.closest_tie(IMAGES) < 1


def test_the_reason_names_the_operator_and_no_path(tmp_path):
    built = Network("a = Relu (input) output = Sigmoid (a)").build()
    built.graph.node[0].domain = "elsewhere"
    built.opset_import.append(onnx.helper.make_opsetid("elsewhere", 1))
    with pytest.raises(NoReference, match=r"onnxruntime cannot run model.onnx.*--no-verify") as caught:
        Oracle(save(tmp_path, built))
    assert "Relu" in caught.value.reason and "--no-verify" not in caught.value.reason
    path = tmp_path / "wrong.onnx"
    path.write_bytes(b"this is no network")
    with pytest.raises(NoReference, match="onnxruntime cannot run wrong.onnx"):
        Oracle(path)


def test_a_version_of_onnx_that_onnxruntime_does_not_know(tmp_path):
    """The version of the file's format says nothing about what it computes."""
    built = Network("output = Relu (input)").build()
    expected = Oracle(save(tmp_path, built)).run(IMAGES)["output"]
    built.ir_version = 10**6
    newer = Oracle(save(tmp_path, built, "newer.onnx"))
    np.testing.assert_array_equal(newer.run(IMAGES)["output"], expected)
    assert newer.closest_tie(IMAGES) == np.inf


def test_inputs_that_onnxruntime_refuses(tmp_path):
    network = Network("output = Gather (table, index)", {"table": (4, 3)}, "int64[2] index", "float[2,3] output")
    oracle = Oracle(save(tmp_path, network.build()))
    assert oracle.run({"index": np.array([3, -4])})["output"].shape == (2, 3)
    with pytest.raises(NoReference, match="out of data bounds"):
        oracle.run({"index": np.array([4, 0])})
    assert (oracle.uses["index"].low, oracle.uses["index"].high) == (-4, 3)


def test_a_padding_of_zeros_in_front_of_a_max_pooling_counts(tmp_path):
    """onnxruntime's optimizations take it for the padding of the pooling, which never is the largest value."""
    pads = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    nodes = "a = Pad (input, pads) output = MaxPool <kernel_shape = [2, 2]> (a)"
    oracle = Oracle(save(tmp_path, Network(nodes, {"pads": pads}).build()))
    assert oracle.run({"input": np.full((1, 4, 9, 7), -1, np.float32)})["output"].max() == 0


@pytest.mark.parametrize(("dtype", "half"), [("float", False), ("float16", True)])
def test_half_precision_anywhere_is_noticed(tmp_path, dtype, half):
    inside = Network("a = Cast <to = 10> (input) output = Cast <to = 1> (a)")
    assert Oracle(save(tmp_path, inside.build())).half
    of_type = Network("output = Identity (input)", {}, f"{dtype}[2] input", f"{dtype}[2] output")
    assert Oracle(save(tmp_path, of_type.build())).half == half


def test_onnxruntime_sums_signs_exactly_and_scales_afterwards(tmp_path):
    """A scale that is folded into the weights leaves a rounding error where +1 and -1 add up to 0."""
    draw = np.random.default_rng(0)
    weight = np.stack([draw.permutation([1.0, -1.0] * 18).reshape(4, 3, 3) for _ in range(32)]).astype(np.float32)
    scale = draw.uniform(0.01, 0.1, (32, 1, 1)).astype(np.float32)
    built = model("a = Conv (input, w) output = Mul (a, s)", {"w": weight, "s": scale})
    found = Oracle(save(tmp_path, built)).run({"input": np.ones((1, 4, 6, 5), np.float32)})["output"]
    np.testing.assert_array_equal(found, 0)


def test_what_the_standard_forbids(tmp_path):
    built = Network("output = Relu (input)").build()
    assert invalid(save(tmp_path, built)) == ""
    built.ir_version = 10**6
    assert invalid(save(tmp_path, built)) == ""
    built.graph.node[0].attribute.append(onnx.helper.make_attribute("colour", 3))
    assert "colour" in invalid(save(tmp_path, built))
    unknown = Network("output = b2nn.Nothing (input)").build()
    assert invalid(save(tmp_path, unknown)) == ""
