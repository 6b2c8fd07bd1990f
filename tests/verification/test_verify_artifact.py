"""What verification accepts and what it refuses; the libraries are really built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.verification.draw_inputs import Draw
from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.relative_difference import TOLERANCE, relative_difference
from b2nn_tvm.verification.ties.open_choices import TIE
from b2nn_tvm.verification.verify_artifact import DRAWS, INPUTS, Comparison, Mismatch, Undecided, verify_artifact
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
        assert 0 <= verify_artifact(artifact, path).largest_difference <= TOLERANCE


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
            Mismatch,
            match=r"disagrees with onnxruntime on other.onnx: relative difference \d.*, expected at most 1e-04",
        ):
            verify_artifact(artifact, save(tmp_path, other.build(), "other.onnx"))


def test_a_library_whose_outputs_have_another_shape_is_refused(tmp_path):
    artifact, _ = compiled(FLOAT, tmp_path)
    with artifact, pytest.raises(Mismatch, match="relative difference inf"):
        wider = Network(FLOAT.nodes, {**FLOAT.constants, "v": (8, 1)}, outputs=FLOAT.outputs)
        verify_artifact(artifact, save(tmp_path, wider.build(), "wider.onnx"))


def test_inputs_and_outputs_of_integers_and_booleans(tmp_path):
    for name in ("integers", "an output of integers"):
        artifact, path = compiled(NETWORKS[name], tmp_path / name.replace(" ", "_"))
        with artifact:
            assert verify_artifact(artifact, path).largest_difference <= TOLERANCE
    flags = Network(
        "a = Not (input) output = And (a, mask)",
        {"mask": np.array([True, False])},
        "bool[3,2] input",
        "bool[3,2] output",
    )
    artifact, path = compiled(flags, tmp_path / "flags")
    with artifact:
        assert verify_artifact(artifact, path).largest_difference == 0


def test_infinities_are_compared_as_such(tmp_path):
    """1 / 0 is infinite in both; where only one of them is, they disagree."""
    network = Network("a = Floor (input) b = Reciprocal (a) output = Neg (b)")
    artifact, path = compiled(network, tmp_path)
    with artifact:
        assert verify_artifact(artifact, path).largest_difference <= TOLERANCE
        positive = Network("a = Floor (input) output = Reciprocal (a)")
        with pytest.raises(Mismatch, match="relative difference inf"):
            verify_artifact(artifact, save(tmp_path, positive.build(), "other.onnx"))


@pytest.mark.parametrize(("weight", "overflow"), [(1e38, True), (1e16, True), (1.0, False)])
def test_outputs_that_are_not_finite_are_told_from_overflow(tmp_path, weight, overflow):
    """Where sums may overflow in one order and not in another, an infinity on one side alone says nothing."""
    artifact, path = compiled(
        Network("output = Conv (input, w)", {"w": np.full((1, 4, 1, 1), weight, np.float32)}), tmp_path
    )

    def run(inputs):
        return {"output": np.full_like(artifact.run(inputs)["output"], np.inf)}

    with artifact, pytest.raises(Undecided if overflow else Mismatch) as caught:
        verify_artifact(artifact, path, run=run)
    assert ("on which overflow or rounding alone decides the outputs" in str(caught.value)) is overflow


def test_a_mismatch_has_its_values(tmp_path):
    artifact, _ = compiled(FLOAT, tmp_path)
    twice = Network(FLOAT.nodes, {**FLOAT.constants, "v": 2 * constant("v", (8, 10))}, outputs=FLOAT.outputs)
    with artifact, pytest.raises(Mismatch) as caught:
        verify_artifact(artifact, save(tmp_path, twice.build(), "twice.onnx"))
    found = caught.value
    assert found.inputs["input"].shape == (1, 4, 9, 7)
    np.testing.assert_allclose(found.expected["output"], 2 * found.got["output"], rtol=1e-4)


def test_the_borders_of_what_floats_are_and_nan_are_drawn_as_well(tmp_path):
    artifact, path = compiled(NETWORKS["nothing but a copy"], tmp_path)
    seen = []
    with artifact:
        found = verify_artifact(artifact, path, run=lambda inputs: seen.append(inputs["input"]) or artifact.run(inputs))
    assert found == Comparison(0.0, INPUTS, "")
    assert len(seen) == INPUTS + 1 and DRAWS.count(Draw.BORDERS) == 1
    assert any((x == 0).any() for x in seen) and np.isnan(seen[-1]).any() and np.isinf(seen[-1]).any()


def test_a_library_that_hides_nan_is_accepted_with_a_remark(tmp_path):
    """ONNX's maximum of NaN is NaN; a library that makes a number of it is right on numbers."""
    artifact, path = compiled(Network("output = Relu (input)"), tmp_path)
    with artifact:
        hides = lambda inputs: {"output": np.nan_to_num(artifact.run(inputs)["output"], nan=0.0)}
        found = verify_artifact(artifact, path, run=hides)
    assert (found.largest_difference, found.inputs) == (0, INPUTS)
    assert found.remark == "for inputs with infinities or NaN, output is finite where onnxruntime's is not"


def test_indices_of_which_the_file_says_nothing_are_found(tmp_path):
    """An index that is computed may leave the table, which onnxruntime refuses: smaller integers are drawn then."""
    artifact, path = compiled(NETWORKS["integers"], tmp_path)
    with artifact:
        assert verify_artifact(artifact, path).inputs == INPUTS


# ---- ties


def sign_of_sums(threshold: float, scale: float = 1.0) -> Network:
    """A sign of sums of four signs, which meet a threshold of 4 at one pixel in 16; the rest of the output is tiny."""
    return Network(
        "p = GreaterOrEqual (input, zero) s = Where (p, one, minus) a = ReduceSum (s, axes) x = Mul (a, scale) b = Tanh"
        " (a) c = Mul (b, tiny) q = Greater (x, t) r = Where (q, one, minus) output = Add (r, c)",
        {
            "zero": np.float32(0),
            "one": np.float32(1),
            "minus": np.float32(-1),
            "axes": np.array([1]),
            "scale": np.float32(scale),
            "tiny": np.float32(1e-6),
            "t": np.float32(threshold),
        },
    )


@pytest.mark.parametrize("threshold", [np.nextafter(np.float32(4), np.float32(0)), np.float32(1.9)])
def test_exact_sums_have_no_ties(tmp_path, threshold):
    """A sum of signs that is 4 is no more than 4, in every right library."""
    artifact, _ = compiled(sign_of_sums(threshold), tmp_path)
    path = save(tmp_path, sign_of_sums(4).build(), "other.onnx")
    with artifact:
        assert verify_artifact(artifact, save(tmp_path, sign_of_sums(threshold).build(), "same.onnx")).inputs == INPUTS
        with pytest.raises(Mismatch, match="disagrees"):
            verify_artifact(artifact, path)


def test_a_disagreement_at_a_tie_is_no_fault_of_the_library(tmp_path):
    """A third of 4 is a rounded number: whether it is above itself is a matter of the last bit. Each input has several
    such ties, and those that the library decided otherwise are found one by one.
    """
    third = np.float32(1 / 3)
    met = np.float32(4) * third
    artifact, _ = compiled(sign_of_sums(np.nextafter(met, np.float32(0)), third), tmp_path)
    with artifact:
        assert verify_artifact(artifact, save(tmp_path, sign_of_sums(met, third).build(), "tie.onnx")).inputs == INPUTS
        with pytest.raises(Mismatch, match="disagrees"):
            verify_artifact(artifact, save(tmp_path, sign_of_sums(0.5, third).build(), "wrong.onnx"))
    assert 0 < TIE < TOLERANCE


def test_a_difference_of_equal_numbers_is_rounding_alone(tmp_path):
    """What is left when the mean is taken from all values has the mean 0, but for rounding."""
    nodes = (
        "a = Conv (input, w) m = GlobalAveragePool (a) b = Sub (a, m) c = GlobalAveragePool (b) output = Mul (c, large)"
    )
    network = Network(nodes, {"w": (5, 4, 3, 3), "large": np.float32(1e6)})
    artifact, path = compiled(network, tmp_path)
    with artifact:
        expected, got = Oracle(path).run(draw(artifact)), artifact.run(draw(artifact))
        assert relative_difference(got, expected) > TOLERANCE
        assert verify_artifact(artifact, path).inputs == INPUTS
        wrong = lambda inputs: {"output": artifact.run(inputs)["output"] + 1e3}
        with pytest.raises(Mismatch, match="disagrees"):
            verify_artifact(artifact, path, run=wrong)


def test_a_library_that_runs_elsewhere(tmp_path):
    """Its outputs are computed by a function of the caller's, who says how many inputs are enough, and what failed."""
    artifact, path = compiled(BINARY, tmp_path)
    seen = []
    with artifact:
        run = lambda inputs: seen.append(inputs) or artifact.run(inputs)
        assert verify_artifact(artifact, path, run=run, needed=1).largest_difference <= TOLERANCE
        assert len(seen) == 1
        wrong = lambda inputs: {name: value + 1 for name, value in artifact.run(inputs).items()}
        with pytest.raises(Mismatch, match="^the library on the moon disagrees with onnxruntime"):
            verify_artifact(artifact, path, run=wrong, what="the library on the moon")


# ---- sign_zero

SIGN = Network(
    "a = Relu (input) s = Sign (a) output = Conv (s, w)",
    {"w": np.where(constant("w", (5, 4, 3, 3)) > 0, 1, -1).astype(np.float32)},
)


@pytest.mark.parametrize("sign_zero", [None, "+1", "-1"])
def test_sign_is_verified_as_it_was_compiled(tmp_path, sign_zero):
    """Behind a ReLU half the inputs of the sign are exactly 0, a value of its own where Sign is taken as it is."""
    artifact, path = compiled(SIGN, tmp_path, sign_zero=sign_zero)
    with artifact:
        assert [row.precision for row in artifact.layers if row.op == "conv2d"] == [
            "w1a2" if sign_zero is None else "binary"
        ]
        assert verify_artifact(artifact, path, sign_zero=sign_zero).largest_difference <= TOLERANCE
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
        assert verify_artifact(artifact, path, sign_zero="+1").largest_difference <= TOLERANCE


def test_a_sign_in_a_function_is_verified_as_it_was_compiled(tmp_path):
    body = '<domain: "b2nn", opset_import: ["" : 11]>\nMySign (x) => (y) { a = Relu (x) y = Sign (a) }'
    built = model(
        "s = b2nn.MySign (input) output = Conv (s, w)", SIGN.constants, inputs=IMAGE, opset=11, functions=body
    )
    path = save(tmp_path, built)
    artifact = compile_model(path, output=tmp_path / "library", verify=False, sign_zero="+1")
    with artifact:
        assert [row.precision for row in artifact.layers if row.op == "conv2d"] == ["binary"]
        assert verify_artifact(artifact, path, sign_zero="+1").largest_difference <= TOLERANCE
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
        assert verify_artifact(artifact, path).largest_difference <= TOLERANCE
        other = quantized(domain, opset=opset)
        weight = next(tensor for tensor in other.graph.initializer if tensor.name == "w")
        weight.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(weight), "w"))
        with pytest.raises(Mismatch, match="disagrees"):
            verify_artifact(artifact, save(tmp_path, other, "other.onnx"))


@pytest.mark.parametrize("weight_binary", [False, True])
def test_our_functions_need_no_definition_in_the_file(tmp_path, weight_binary):
    """Tools that know no functions drop their definitions; attributes that have a default may be missing too."""
    constants = binary_constants("u", 6, 4)
    name, inputs = ("WeightBinaryConv2d", "input, u, u_s") if weight_binary else ("BinaryConv2d", "input, u, u_s, u_t")
    nodes = f"output = b2nn.{name} <kernel_shape = [3, 3], channels = 4> ({inputs})"
    path = save(tmp_path, model(nodes, constants, inputs=IMAGE))
    artifact = compile_model(path, output=tmp_path / "library", verify=False)
    with artifact:
        assert verify_artifact(artifact, path).largest_difference <= TOLERANCE
        constants["u"] = ~constants["u"] & 0x0F
        with pytest.raises(Mismatch, match="disagrees"):
            verify_artifact(artifact, save(tmp_path, model(nodes, constants, inputs=IMAGE), "other.onnx"))
