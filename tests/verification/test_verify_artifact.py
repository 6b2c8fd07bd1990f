"""What verification accepts and what it refuses; the libraries are really built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.errors import VerificationError
from b2nn_tvm.verification import verify_artifact as verify
from b2nn_tvm.verification.verify_artifact import (
    TIE,
    TOLERANCE,
    NoReference,
    Oracle,
    Undecided,
    relative_difference,
    verify_artifact,
)
from tests.support.networks.onnx_models import model, save
from tests.support.networks.onnx_networks import IMAGE, NETWORKS, Network, binary, binary_constants, constant

FLOAT = Network(
    "a = Conv (input, w) b = Relu (a) c = GlobalAveragePool (b) d = Flatten (c) output = Gemm (d, v)",
    {"w": (8, 4, 3, 3), "v": (8, 10)},
    outputs="float[N,C] output",
)
BINARY = Network(
    "a = Conv (input, w)" + binary("a", "b", "u", 8) + "output = Relu (b)",
    {"w": (8, 4, 3, 3), **binary_constants("u", 6, 8)},
)


def compiled(network: Network, folder: Path, **options):
    """The unverified library and the file of a network."""
    folder.mkdir(exist_ok=True)
    path = save(folder, network.build())
    return compile_model(path, output=folder / "library", verify=False, **options), path


def test_a_right_library_is_accepted(tmp_path):
    artifact, path = compiled(BINARY, tmp_path)
    with artifact:
        assert 0 <= verify_artifact(artifact, path) <= TOLERANCE


@pytest.mark.parametrize(("network", "name"), [(FLOAT, "w"), (FLOAT, "v"), (BINARY, "u_s"), (BINARY, "u")])
def test_a_library_of_other_weights_is_refused(tmp_path, network, name):
    """One weight, scale or byte of bits changed is enough."""
    artifact, path = compiled(network, tmp_path)
    value = constant(name, network.constants[name]).copy()
    value.flat[0] = value.flat[0] ^ 0xFF if value.dtype == np.uint8 else value.flat[0] + 0.5
    other = Network(network.nodes, {**network.constants, name: value}, outputs=network.outputs)
    with artifact:
        verify_artifact(artifact, path)
        with pytest.raises(
            VerificationError, match=r"disagrees with onnxruntime on other.onnx: relative difference \d.*report it"
        ):
            verify_artifact(artifact, save(tmp_path, other.build(), "other.onnx"))


def test_a_library_whose_outputs_have_another_shape_is_refused(tmp_path):
    artifact, _ = compiled(FLOAT, tmp_path)
    with artifact, pytest.raises(VerificationError, match="relative difference inf"):
        wider = Network(FLOAT.nodes, {**FLOAT.constants, "v": (8, 1)}, outputs=FLOAT.outputs)
        verify_artifact(artifact, save(tmp_path, wider.build(), "wider.onnx"))


def test_inputs_and_outputs_of_integers_and_booleans(tmp_path):
    for name in ("integers", "an output of integers"):
        artifact, path = compiled(NETWORKS[name], tmp_path / name.replace(" ", "_"))
        with artifact:
            assert verify_artifact(artifact, path) <= TOLERANCE
    flags = Network(
        "a = Not (input) output = And (a, mask)",
        {"mask": np.array([True, False])},
        "bool[3,2] input",
        "bool[3,2] output",
    )
    artifact, path = compiled(flags, tmp_path / "flags")
    with artifact:
        assert verify_artifact(artifact, path) == 0


def test_infinities_are_compared_as_such(tmp_path):
    """1 / 0 is infinite in both; where only one of them is, they disagree."""
    network = Network("a = Floor (input) b = Reciprocal (a) output = Neg (b)")
    artifact, path = compiled(network, tmp_path)
    with artifact:
        assert verify_artifact(artifact, path) <= TOLERANCE
        positive = Network("a = Floor (input) output = Reciprocal (a)")
        with pytest.raises(VerificationError, match="relative difference inf"):
            verify_artifact(artifact, save(tmp_path, positive.build(), "other.onnx"))


def difference(ours, theirs, dtype="float32"):
    return relative_difference({"y": np.array(ours, dtype)}, {"y": np.array(theirs, dtype)})


def test_relative_difference():
    assert difference([1, 2, 4], [1, 2, 4]) == 0
    assert difference([1, 2, 4], [1, 2.5, 4]) == 0.125
    assert difference([0, 0], [0, 0]) == 0
    assert difference([1e-3, 0], [0, 0]) > 1
    assert difference([np.nan, 1], [np.nan, 1]) == 0
    assert difference([np.nan, 1], [0, 1]) == np.inf
    assert difference([0, 1], [np.nan, 1]) == np.inf
    assert difference([np.inf, 2], [np.inf, 1]) == 1
    assert difference([-np.inf, 1], [np.inf, 1]) == np.inf
    assert difference([3e38], [-3e38]) == pytest.approx(2)
    assert difference([True, False], [True, True], bool) == 1
    assert difference([250], [5], np.uint8) == 49
    assert difference([[1, 2]], [1, 2]) == np.inf
    assert relative_difference({"y": np.zeros(2, np.float32)}, {"y": np.zeros(2, np.float64)}) == np.inf
    assert difference([], []) == 0
    two = {"a": np.ones(1), "b": np.full(1, 2.0)}
    assert relative_difference(two, {"a": np.ones(1), "b": np.full(1, 1.0)}) == 1


# ---- ties


def sign_of_sums(threshold: float) -> Network:
    """A sign of sums of four signs, which meet a threshold of 4 at one pixel in 16; the rest of the output is tiny."""
    return Network(
        "p = GreaterOrEqual (input, zero) s = Where (p, one, minus) a = ReduceSum (s, axes) b = Tanh (a) c = Mul (b,"
        " scale) q = Greater (a, t) r = Where (q, one, minus) output = Add (r, c)",
        {
            "zero": np.float32(0),
            "one": np.float32(1),
            "minus": np.float32(-1),
            "axes": np.array([1]),
            "scale": np.float32(1e-6),
            "t": np.float32(threshold),
        },
    )


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
    assert Oracle(save(tmp_path, FLOAT.build())).closest_tie({"input": x}) == np.inf


def test_comparisons_of_integers_have_no_ties(tmp_path):
    network = Network(
        "a = Less (input, two) output = Cast <to = 1> (a)", {"two": np.array(2)}, "int64[5] input", "float[5] output"
    )
    assert Oracle(save(tmp_path, network.build())).closest_tie({"input": np.arange(5)}) == np.inf


def test_a_disagreement_at_a_tie_is_no_fault_of_the_library(tmp_path):
    """A library that is right but rounds the other way: here its threshold is the next float."""
    artifact, _ = compiled(sign_of_sums(np.nextafter(np.float32(4), np.float32(0))), tmp_path)
    path = save(tmp_path, sign_of_sums(4).build(), "other.onnx")
    with artifact:
        with pytest.raises(
            VerificationError, match="only 0 of the 3 needed were free of values within rounding"
        ) as undecided:
            verify_artifact(artifact, path)
        assert type(undecided.value) is Undecided
        assert verify_artifact(artifact, save(tmp_path, sign_of_sums(3.9).build(), "same.onnx")) <= TOLERANCE
        with pytest.raises(VerificationError, match="disagrees"):
            verify_artifact(artifact, save(tmp_path, sign_of_sums(1.9).build(), "wrong.onnx"))


def test_inputs_with_ties_are_drawn_again(tmp_path, monkeypatch):
    """Ties that the library decides differently are rare in the end: other inputs take their place."""
    network = Network(
        "a = Mul (input, three) b = Round (a) p = Greater (b, zero) s = Where (p, one, minus) output = Add (s, s)",
        {"three": np.float32(1.5), "zero": np.float32(0), "one": np.float32(1), "minus": np.float32(-1)},
        inputs="float[1,2] input",
        outputs="float[1,2] output",
    )
    other = Network(network.nodes, {**network.constants, "zero": np.float32(-1e-30)}, network.inputs, network.outputs)
    artifact, _ = compiled(other, tmp_path)
    path = save(tmp_path, network.build(), "ties.onnx")
    drawn = []
    original = verify._draw
    monkeypatch.setattr(verify, "_draw", lambda *args: drawn.append(original(*args)) or drawn[-1])
    with artifact:
        assert verify_artifact(artifact, path) == 0
    tied = [bool((np.round(x * 1.5) == 0).any()) for x in drawn]
    assert tied.count(False) == verify.INPUTS and True in tied and len(drawn) <= verify.ATTEMPTS
    assert 0 < TIE < TOLERANCE


def test_a_library_that_runs_elsewhere(tmp_path):
    """Its outputs are computed by a function of the caller's, who says how many inputs are enough, and what failed."""
    artifact, path = compiled(BINARY, tmp_path)
    seen = []
    with artifact:
        run = lambda inputs: seen.append(inputs) or artifact.run(inputs)
        assert verify_artifact(artifact, path, run=run, needed=1) <= TOLERANCE
        assert len(seen) == 1
        wrong = lambda inputs: {name: value + 1 for name, value in artifact.run(inputs).items()}
        with pytest.raises(VerificationError, match="^the library on the moon disagrees with onnxruntime"):
            verify_artifact(artifact, path, run=wrong, what="the library on the moon")


# ---- sign_zero, and files that onnxruntime does not run

SIGN = Network(
    "a = Relu (input) s = Sign (a) output = Conv (s, w)",
    {"w": np.where(constant("w", (5, 4, 3, 3)) > 0, 1, -1).astype(np.float32)},
)


@pytest.mark.parametrize("sign_zero", [None, "+1", "-1"])
def test_sign_is_verified_as_it_was_compiled(tmp_path, sign_zero):
    """Behind a ReLU half the inputs of the sign are exactly 0."""
    artifact, path = compiled(SIGN, tmp_path, sign_zero=sign_zero)
    with artifact:
        assert [row.precision for row in artifact.layers if row.op == "conv2d"] == [
            "weight-binary" if sign_zero is None else "binary"
        ]
        assert verify_artifact(artifact, path, sign_zero=sign_zero) <= TOLERANCE
        for other in {None, "+1", "-1"} - {sign_zero}:
            assert (
                relative_difference(artifact.run(draw(artifact)), Oracle(path, sign_zero=other).run(draw(artifact)))
                > 0.1
            )


def draw(artifact):
    return {spec.name: constant("x", spec.shape) for spec in artifact.inputs}


@pytest.mark.parametrize("opset", [11, 18])
def test_sign_zero_is_verified_from_opset_11_on(tmp_path, opset):
    """GreaterOrEqual is of opset 12: the comparison that stands for Sign has to do without it."""
    artifact, path = compiled(replace(SIGN, opset=opset), tmp_path, sign_zero="+1")
    with artifact:
        assert verify_artifact(artifact, path, sign_zero="+1") <= TOLERANCE


@pytest.mark.parametrize("dtype", ["float", "float16", "double"])
@pytest.mark.parametrize(("sign_zero", "at_zero"), [("+1", 1), ("-1", -1)])
def test_sign_at_zero_and_of_nan(tmp_path, sign_zero, at_zero, dtype):
    """NaN is not at least 0, so its sign is -1; the result has the type of x."""
    network = Network("a = Sign (input) output = Neg (a)", {}, f"{dtype}[1,6] input", f"{dtype}[1,6] output", opset=11)
    x = np.array([[2, -0.5, 0.0, -0.0, np.nan, np.inf]], {"float": "float32", "double": "float64"}.get(dtype, dtype))
    output = Oracle(save(tmp_path, network.build()), sign_zero=sign_zero).run({"input": x})["output"]
    assert output.dtype == x.dtype
    np.testing.assert_array_equal(output, [[-1, 1, -at_zero, -at_zero, 1, -1]])


def test_a_sign_in_a_function_is_verified_as_it_was_compiled(tmp_path):
    body = '<domain: "b2nn", opset_import: ["" : 11]>\nMySign (x) => (y) { a = Relu (x) y = Sign (a) }'
    built = model(
        "s = b2nn.MySign (input) output = Conv (s, w)", SIGN.constants, inputs=IMAGE, opset=11, functions=body
    )
    path = save(tmp_path, built)
    artifact = compile_model(path, output=tmp_path / "library", verify=False, sign_zero="+1")
    with artifact:
        assert [row.precision for row in artifact.layers if row.op == "conv2d"] == ["binary"]
        assert verify_artifact(artifact, path, sign_zero="+1") <= TOLERANCE
        assert relative_difference(artifact.run(draw(artifact)), Oracle(path).run(draw(artifact))) > 0.1


# ---- operators of ours and of QONNX, which onnxruntime does not have


def quantized(domain: str, *, opset: int = 18) -> onnx.ModelProto:
    """BipolarQuant of the input, with a scale, and of latent weights: what Brevitas and QONNX write."""
    built = model(
        "s = BipolarQuant (input, half) b = BipolarQuant (w, one) output = Conv (s, b)",
        {"half": np.float32(0.5), "one": np.float32(1), "w": constant("w", (5, 4, 3, 3))},
        inputs=IMAGE,
        opset=opset,
    )
    built.opset_import.append(onnx.helper.make_opsetid("onnx.brevitas", 1))
    for node in built.graph.node[:2]:
        node.domain = domain
    return built


@pytest.mark.parametrize("opset", [11, 18])
@pytest.mark.parametrize("domain", ["qonnx.custom_op.general", "onnx.brevitas"])
def test_bipolar_quant_is_verified(tmp_path, domain, opset):
    path = save(tmp_path, quantized(domain, opset=opset))
    artifact = compile_model(path, output=tmp_path / "library", verify=False)
    with artifact:
        assert [row.precision for row in artifact.layers if row.op == "conv2d"] == ["binary"]
        assert verify_artifact(artifact, path) <= TOLERANCE
        other = quantized(domain, opset=opset)
        weight = next(tensor for tensor in other.graph.initializer if tensor.name == "w")
        weight.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(weight), "w"))
        with pytest.raises(VerificationError, match="disagrees"):
            verify_artifact(artifact, save(tmp_path, other, "other.onnx"))


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


def test_the_closest_tie_of_bipolar_quant(tmp_path):
    x = constant("x", (1, 4, 9, 7))
    oracle = Oracle(save(tmp_path, quantized("onnx.brevitas")))
    weight = constant("w", (5, 4, 3, 3))
    expected = min(np.abs(values).min() / np.abs(values).max() for values in (x, weight))
    assert oracle.closest_tie({"input": x}) == pytest.approx(expected, rel=1e-6)
    x[0, 1, 2, 3] = 0
    assert oracle.closest_tie({"input": x}) == 0


@pytest.mark.parametrize("weight_binary", [False, True])
def test_our_functions_need_no_definition_in_the_file(tmp_path, weight_binary):
    """Tools that know no functions drop their definitions; attributes that have a default may be missing too."""
    constants = binary_constants("u", 6, 4)
    name, inputs = ("WeightBinaryConv2d", "input, u, u_s") if weight_binary else ("BinaryConv2d", "input, u, u_s, u_t")
    nodes = f"output = b2nn.{name} <kernel_shape = [3, 3], channels = 4> ({inputs})"
    path = save(tmp_path, model(nodes, constants, inputs=IMAGE))
    artifact = compile_model(path, output=tmp_path / "library", verify=False)
    with artifact:
        assert verify_artifact(artifact, path) <= TOLERANCE
        assert Oracle(path).closest_tie(draw(artifact)) == (
            np.inf if weight_binary else pytest.approx(_closest(draw(artifact)["input"], constants["u_t"]))
        )
        constants["u"] = ~constants["u"] & 0x0F
        with pytest.raises(VerificationError, match="disagrees"):
            verify_artifact(artifact, save(tmp_path, model(nodes, constants, inputs=IMAGE), "other.onnx"))


def _closest(x: np.ndarray, threshold: np.ndarray) -> float:
    return np.abs(x - threshold.reshape(-1, 1, 1)).min() / np.abs(x).max()


# ---- files that onnxruntime does not run


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (
            "output = qonnx.custom_op.general.FloatQuant (input, one)",
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
    artifact, _ = compiled(FLOAT, tmp_path)
    path = save(tmp_path, model(nodes, {"one": np.float32(1)}, inputs=IMAGE))
    with (
        artifact,
        pytest.raises(
            VerificationError, match=f"onnxruntime cannot run model.onnx, .*: {reason}.*; compile it with --no-verify"
        ),
    ):
        verify_artifact(artifact, path)


def test_external_data(tmp_path):
    artifact, _ = compiled(BINARY, tmp_path)
    path = tmp_path / "external.onnx"
    onnx.save(BINARY.build(), path, save_as_external_data=True, location="elsewhere.bin", size_threshold=0)
    with artifact:
        assert verify_artifact(artifact, path) <= TOLERANCE
    assert Oracle(path).closest_tie({"input": constant("x", (1, 4, 9, 7))}) < 1


def test_an_operator_without_a_kernel_is_told_from_a_file_that_is_wrong(tmp_path):
    built = Network("a = Relu (input) output = Sigmoid (a)").build()
    built.graph.node[0].domain = "elsewhere"
    built.opset_import.append(onnx.helper.make_opsetid("elsewhere", 1))
    with pytest.raises(NoReference, match=r"onnxruntime cannot run model.onnx.*--no-verify") as caught:
        Oracle(save(tmp_path, built))
    assert "Relu" in caught.value.reason and "--no-verify" not in caught.value.reason
    path = tmp_path / "wrong.onnx"
    path.write_bytes(b"this is no network")
    with pytest.raises(VerificationError, match="onnxruntime cannot run wrong.onnx") as refused:
        Oracle(path)
    assert not isinstance(refused.value, NoReference)


def test_onnxruntime_sums_signs_exactly_and_scales_afterwards(tmp_path):
    """A scale that is folded into the weights leaves a rounding error where +1 and -1 add up to 0."""
    draw = np.random.default_rng(0)
    weight = np.stack([draw.permutation([1.0, -1.0] * 18).reshape(4, 3, 3) for _ in range(32)]).astype(np.float32)
    scale = draw.uniform(0.01, 0.1, (32, 1, 1)).astype(np.float32)
    built = model("a = Conv (input, w) output = Mul (a, s)", {"w": weight, "s": scale})
    found = Oracle(save(tmp_path, built)).run({"input": np.ones((1, 4, 6, 5), np.float32)})["output"]
    np.testing.assert_array_equal(found, 0)
