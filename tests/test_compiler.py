"""compile_model as its users call it: the operators of their networks against onnxruntime, and what is said to bad
input.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from tvm import relax

import b2nn_tvm
from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.library.verification import THIS_LIBRARY, not_checked
from b2nn_tvm.errors import InputError, TargetError, UnsupportedError, VerificationError
from b2nn_tvm.frontend import converters
from b2nn_tvm.targets.target import get
from b2nn_tvm.verification import check_library as checks
from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.relative_difference import TOLERANCE, relative_difference
from b2nn_tvm.verification.ties.open_choices import TIE
from b2nn_tvm.verification.verify_artifact import INPUTS
from tests.support.networks.onnx_models import model, save
from tests.support.networks.onnx_networks import NETWORKS, Network, binary, binary_constants, constant

SMALL = Network("a = Conv (input, w) output = Relu (a)", {"w": (5, 4, 3, 3)})


def inputs_of(artifact):
    """Random inputs, small positive integers where they are integers."""
    rng = np.random.default_rng(7)
    return {
        spec.name: (
            (
                rng.standard_normal(spec.shape)
                if np.issubdtype(spec.dtype, np.floating)
                else rng.integers(0, 2, spec.shape)
            ).astype(spec.dtype)
        )
        for spec in artifact.inputs
    }


@pytest.mark.in_turn("target")
@pytest.mark.parametrize("target", ["native", "x86"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_library_agrees_with_onnxruntime(tmp_path, name, target):
    """Names, shapes, types and numbers, with one thread and two."""
    if get(target).missing:
        pytest.skip(f"{target} needs {', '.join(get(target).missing)}")
    path = save(tmp_path, NETWORKS[name].build())
    oracle = Oracle(path)
    with compile_model(path, target=target, output=tmp_path / "library", verify=False) as artifact:
        inputs = inputs_of(artifact)
        expected = oracle.run(inputs)
        assert oracle.closest_tie(inputs) > TIE
        for threads in (1, 2):
            outputs = artifact.run(inputs, threads=threads)
            assert list(outputs) == list(expected) == [spec.name for spec in artifact.outputs]
            assert relative_difference(outputs, expected) <= TOLERANCE


# ---- chains of binary layers of any shape, where one layer's packed output is the next one's input


def random_chain(seed: int) -> Network:
    """Four or five binary layers with random shapes, paddings and what stands between them, up to a float output."""
    rng = np.random.default_rng(seed)
    batch, channels, height, width = (
        rng.choice([1, 1, 3]),
        *(int(rng.choice(sizes)) for sizes in ((3, 16, 33), (9, 12), (7, 10))),
    )
    inputs, nodes, constants, x = f"float[{batch},{channels},{height},{width}] input", [], {}, "input"
    for i in range(int(rng.integers(4, 6))):
        outputs = int(rng.choice([1, 8, 16, 31, 32, 33, 64, 65, 96]))
        kernel, stride = int(rng.choice([1, 3, 3, 5])), int(rng.choice([1, 1, 2]))
        pads = [int(p) for p in rng.integers(kernel // 2, kernel // 2 + 2, 4)]
        nodes.append(
            f"c{i} = b2nn.BinaryConv2d <kernel_shape = [{kernel}, {kernel}], strides = [{stride}, {stride}], dilations"
            f" = [1, 1], pads = {pads}, pad_value = {rng.choice([-1, 0, 0, 1])}.0, channels = {channels}> ({x}, w{i},"
            f" w{i}_s, w{i}_t)"
        )
        constants |= binary_constants(f"w{i}", outputs, channels, kernel=kernel)
        if rng.random() < 0.3:
            constants[f"w{i}_t"] = np.zeros(channels, np.float32)
        gamma = rng.choice([-1, 0.5, 1, 0], outputs) * rng.uniform(0.5, 1, outputs)
        constants |= {
            f"g{i}": gamma.astype(np.float32),
            f"b{i}": (outputs,),
            f"m{i}": (outputs,),
            f"v{i}": np.ones(outputs, np.float32),
        }
        nodes.append(f"y{i} = BatchNormalization (c{i}, g{i}, b{i}, m{i}, v{i})")
        after = rng.choice(["nothing", "nothing", "relu", "pool", "residual"])
        x = f"x{i}"
        word = {
            "nothing": "Identity",
            "relu": "LeakyRelu <alpha = 0.1>",
            "pool": "MaxPool <kernel_shape = [2, 2]>",
        }.get(after, "Sigmoid")
        nodes.append(f"{x} = {word} (y{i})" if after != "residual" else f"z{i} = {word} (y{i}) {x} = Sub (y{i}, z{i})")
        channels = outputs
    return Network(" ".join([*nodes, f"output = Mul ({x}, two)"]), {**constants, "two": np.float32(2)}, inputs)


@pytest.mark.in_turn("target")
@pytest.mark.parametrize("target", ["x86", "x86-avx512", "x86-vpopcntdq"])
@pytest.mark.parametrize("seed", range(4))
def test_chains_of_binary_layers_agree_with_onnxruntime(tmp_path, seed, target):
    if get(target).missing:
        pytest.skip(f"{target} needs {', '.join(get(target).missing)}")
    path = save(tmp_path, random_chain(seed).build())
    with compile_model(path, target=target, output=tmp_path / "library") as artifact:
        assert sum(row.precision == "binary" for row in artifact.layers) in (4, 5)
        inputs = inputs_of(artifact)
        np.testing.assert_array_equal(artifact.run(inputs, threads=2)["output"], artifact.run(inputs)["output"])


def test_an_input_and_the_outputs_made_of_it_are_different_memory(tmp_path):
    """Changing what came in or out of one run does not reach another's."""
    path = save(tmp_path, NETWORKS["outputs that are an input"].build())
    with compile_model(path, output=tmp_path / "library") as artifact:
        x = constant("x", (1, 4, 9, 7))
        first = artifact.run({"input": x})["same"]
        np.testing.assert_array_equal(first, x)
        assert not np.shares_memory(first, x)
        second = artifact.run({"input": -x})["same"]
        np.testing.assert_array_equal(first, x)
        np.testing.assert_array_equal(second, -x)


def test_an_open_batch_is_fixed_by_input_shapes(tmp_path):
    path = save(tmp_path, Network(SMALL.nodes, SMALL.constants, "float[n,4,h,w] input").build())
    with compile_model(path, output=tmp_path / "library", input_shapes={"input": (3, 4, 6, 5)}) as artifact:
        assert artifact.inputs[0].shape == (3, 4, 6, 5)
        assert artifact.outputs[0].shape == (3, 5, 4, 3)


# ---- what the caller gets


def test_a_batch_that_the_file_fixes_follows_input_shapes(tmp_path):
    constants = {"w": (8, 4, 3, 3), "one": np.array([1, 192]), "d": (192, 3)}
    nodes = "c = Conv (input, w) r = Relu (c) f = Reshape (r, one) output = MatMul (f, d)"
    path = save(tmp_path, Network(nodes, constants, "float[1,4,8,6] input").build())
    x = np.random.default_rng(0).standard_normal((3, 4, 8, 6)).astype(np.float32)
    with compile_model(path, output=tmp_path / "library", input_shapes={"input": x.shape}) as artifact:
        assert artifact.manifest.verification.method == THIS_LIBRARY and artifact.manifest.build.model == "model.onnx"
        alone = np.concatenate([Oracle(path).run({"input": image[None]})["output"] for image in x])
        np.testing.assert_allclose(artifact.run({"input": x})["output"], alone, rtol=1e-5, atol=1e-5)


def test_the_layers_say_what_was_decided(tmp_path):
    network = Network(
        "a = Conv (input, w)" + binary("a", "b", "u", 8) + "c = Conv (b, v) d = Flatten (c) output = Gemm (d, g)",
        {"w": (8, 4, 3, 3), **binary_constants("u", 6, 8), "v": (5, 6, 1, 1), "g": (175, 3)},
        outputs="float[N,C] output",
    )
    built = network.build()
    for node, name in zip(built.graph.node, ("stem", "block.conv", "head.conv", "", "fc"), strict=True):
        node.name = name
    with compile_model(save(tmp_path, built), output=tmp_path / "library") as artifact:
        rows = {row.name: row for row in artifact.layers}
        assert [name for name in rows if "#" not in name] == ["stem", "block.conv", "head.conv", "fc"]
        binary_row = rows["block.conv"]
        assert (binary_row.op, binary_row.precision, binary_row.reason) == ("conv2d", "binary", "")
        assert binary_row.workload == "conv2d_n1_c8_h7_w5_o6_k3x3_s1x1_p1x1x1x1_d1x1_g1"
        assert "bconv2d" in binary_row.schedule and binary_row.size_bytes > 0
        assert rows["stem"].reason == "its input is not a sign: it is the input of the network"
        assert rows["head.conv"].reason == "its input is not a sign: it comes from multiply"
        assert (rows["fc"].op, rows["fc"].precision, rows["fc"].workload) == ("dense", "float", "dense_n1_k175_o3")
        total = sum(row.size_bytes for row in artifact.layers)
        sizes = artifact.manifest.sizes
        constants = sizes.packed_weights + sizes.binary_constants + sizes.float_weights + sizes.other_constants
        assert constants == total
        assert sizes.packed_weights == rows["block.conv"].weight_bytes
        assert sizes.float_weights == sum(row.weight_bytes for row in rows.values() if row.precision == "float")
        assert {step.layer for step in artifact.manifest.steps} == set(rows)


def test_progress_names_the_phases_in_order(tmp_path):
    seen = []
    path = save(tmp_path, SMALL.build())
    compile_model(path, output=tmp_path / "library", progress=lambda *report: seen.append(report)).close()
    phases = ("import", "rewrite", "schedule", "generate code", "link", "verify")
    assert seen == [(f"compile: {phase}", 0, 1) for phase in phases]


def test_the_folder_can_be_loaded_again(tmp_path):
    path = save(tmp_path, SMALL.build(), "net one.onnx")
    with compile_model(path, output=tmp_path / "deep" / "er", plan_digest="abc") as artifact:
        x = {"input": constant("x", (1, 4, 9, 7))}
        expected = artifact.run(x)["output"]
    with b2nn_tvm.load(tmp_path / "deep" / "er") as again:
        np.testing.assert_array_equal(again.run(x)["output"], expected)
        assert (again.manifest.build.model, again.manifest.build.plan_digest) == ("net one.onnx", "abc")


def test_the_same_file_gives_the_same_library(tmp_path):
    path = save(tmp_path, NETWORKS["binary in the form of a function"].build())
    for name in ("first", "second"):
        compile_model(path, output=tmp_path / name, verify=False).close()
    first, second = ((tmp_path / name / "libb2nn_model.so").read_bytes() for name in ("first", "second"))
    assert first == second


# ---- verification


def test_a_library_that_fails_its_verification_is_not_put_in_place(tmp_path, monkeypatch):
    """The folder stays as it was: absent, or with the library that was there."""
    path = save(tmp_path, SMALL.build())
    compile_model(path, output=tmp_path / "old").close()
    before = {file.name: file.read_bytes() for file in (tmp_path / "old").iterdir()}
    wrong = save(tmp_path, Network(SMALL.nodes, {"w": 2 * constant("w", (5, 4, 3, 3))}).build(), "wrong.onnx")
    run_check = checks.run_check
    monkeypatch.setattr(checks, "run_check", lambda asked: run_check(replace(asked, onnx_path=str(wrong))))
    for name in ("old", "new"):
        with pytest.raises(VerificationError, match="disagrees with onnxruntime"):
            compile_model(path, output=tmp_path / name)
    assert {file.name: file.read_bytes() for file in (tmp_path / "old").iterdir()} == before
    assert not (tmp_path / "new").exists()
    compile_model(path, output=tmp_path / "new", verify=False).close()
    assert (tmp_path / "new" / "manifest.json").is_file()


def test_without_onnxruntime_the_last_phase_says_that_nothing_was_verified(tmp_path, monkeypatch):
    seen = []
    path = save(tmp_path, SMALL.build())
    # As in an environment without it: nothing can import it, and it is not found.
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with compile_model(
        path, output=tmp_path / "library", progress=lambda phase, done, total: seen.append(phase)
    ) as artifact:
        assert artifact.manifest.verification == not_checked("onnxruntime is not installed (pip install onnxruntime)")
    assert seen[-1] == "compile: verify: skipped, onnxruntime is not installed (pip install onnxruntime)"
    assert "compile: verify" not in seen


def test_the_manifest_says_how_the_library_was_checked(tmp_path):
    path = save(tmp_path, Network("output = Conv (input, w)", SMALL.constants).build())
    with compile_model(path, output=tmp_path / "library") as artifact:
        found = artifact.manifest.verification
        assert (found.method, found.reason, found.inputs) == (THIS_LIBRARY, "", INPUTS)
        assert 0 < found.largest_difference <= TOLERANCE
    with compile_model(path, output=tmp_path / "library", verify=False) as artifact:
        assert artifact.manifest.verification == not_checked("--no-verify")


@pytest.mark.parametrize(
    ("target", "what"),
    [("native", "the compiled library disagrees"), ("arm", "compiled for this machine .* for arm, disagrees")],
)
def test_what_is_imported_wrongly_is_refused_for_every_target(tmp_path, monkeypatch, target, what):
    """A converter that reads Dropout as a factor of 2."""
    monkeypatch.setattr(
        converters, "dropout", lambda bb, inputs, attrs: relax.op.multiply(inputs[0], relax.const(2.0, "float32"))
    )
    path = save(tmp_path, Network("output = Dropout (input)").build())
    with pytest.raises(VerificationError, match=f"{what} with onnxruntime on model.onnx"):
        compile_model(path, target=target, output=tmp_path / "library")
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize("target", ["native", "x86-avx512"])
def test_a_mean_for_which_llvm_makes_invalid_code(tmp_path, target):
    """LLVM 22's own verification refuses what it makes of this loop for AVX-512 when it looks for vectors."""
    mean = Network("output = ReduceMean <keepdims = 1> (input, axes)", {"axes": np.array([3])}, "float[1,8,9,7] input")
    with compile_model(save(tmp_path, mean.build()), target=target, output=tmp_path / "library") as artifact:
        assert artifact.manifest.verification.largest_difference <= TOLERANCE


def test_sign_zero_is_verified_as_compiled(tmp_path):
    """Behind a ReLU many inputs of Sign are exactly 0, where the file alone says 0."""
    signs = np.where(constant("w", (5, 4, 3, 3)) > 0, 1, -1).astype(np.float32)
    path = save(tmp_path, Network("a = Relu (input) s = Sign (a) output = Conv (s, w)", {"w": signs}).build())
    with compile_model(path, output=tmp_path / "library", sign_zero="+1") as artifact:
        assert [row.precision for row in artifact.layers if row.op == "conv2d"] == ["binary"]


# ---- what cannot be compiled

UNSUPPORTED = {
    "TopK": Network(
        "output, indices = TopK (input, k)",
        {},
        "float[1,4,9,7] input, int64[1] k",
        "float[N,C,H,W] output, int64[N,C,H,W] indices",
    ),
    "NonMaxSuppression": Network(
        "output = NonMaxSuppression (boxes, scores)", {}, "float[1,6,4] boxes, float[1,1,6] scores", "int64[n,3] output"
    ),
    "NonZero": Network("output = NonZero (input)", outputs="int64[4,n] output"),
    "ScatterND": Network(
        "output = ScatterND (input, at, values)", {"values": (1, 4, 9, 7)}, "float[1,4,9,7] input, int64[1,1] at"
    ),
    "LSTM": Network(
        "output = LSTM <hidden_size = 5> (input, w, r)",
        {"w": (1, 20, 3), "r": (1, 20, 5)},
        "float[7,1,3] input",
        "float[T,D,N,C] output",
    ),
    "MaxPool": Network(
        "a, indices = MaxPool <kernel_shape = [2, 2]> (input) b = Cast <to = 1> (indices) output = Add (a, b)"
    ),
}


@pytest.mark.parametrize("op", UNSUPPORTED)
def test_unsupported_operators_are_named_and_nothing_is_written(tmp_path, capfd, op):
    built = UNSUPPORTED[op].build()
    built.graph.node[0].name = "head.the_node"
    path = save(tmp_path, built)
    with pytest.raises(UnsupportedError) as caught:
        compile_model(path, output=tmp_path / "library")
    text = str(caught.value)
    assert op in text and "'head.the_node'" in text and "\n" not in text and len(text) < 300
    assert not (tmp_path / "library").exists()
    assert capfd.readouterr() == ("", "")


def test_a_folder_in_use_survives_what_cannot_be_compiled(tmp_path):
    compile_model(save(tmp_path, SMALL.build()), output=tmp_path / "library").close()
    before = {file.name: file.read_bytes() for file in (tmp_path / "library").iterdir()}
    with pytest.raises(UnsupportedError):
        compile_model(save(tmp_path, UNSUPPORTED["TopK"].build()), output=tmp_path / "library")
    assert {file.name: file.read_bytes() for file in (tmp_path / "library").iterdir()} == before


def test_optional_outputs_that_nothing_reads_do_no_harm(tmp_path):
    nodes = "a, indices = MaxPool <kernel_shape = [2, 2]> (input) b, mask = Dropout (a) output = Relu (b)"
    with compile_model(save(tmp_path, Network(nodes).build()), output=tmp_path / "library") as artifact:
        assert [spec.name for spec in artifact.outputs] == ["output"]


def test_dropout_with_its_mask(tmp_path):
    network = Network(
        "a, mask = Dropout (input) output = Relu (a)", outputs="float[N,C,H,W] output, bool[N,C,H,W] mask"
    )
    with compile_model(save(tmp_path, network.build()), output=tmp_path / "library") as artifact:
        assert artifact.run({"input": constant("x", (1, 4, 9, 7))})["mask"].all()


@pytest.mark.parametrize(("mode", "shape"), [("SAME_UPPER", (3, 2)), ("SAME_LOWER", (3, 2)), ("VALID", (1, 1))])
def test_pooling_with_auto_pad(tmp_path, mode, shape):
    """An image of 9 x 7 needs one more row and column, before it or behind it."""
    nodes = (
        f'a = MaxPool <kernel_shape = [2, 2], strides = [2, 2], auto_pad = "{mode}"> (input)'
        f'output = AveragePool <kernel_shape = [3, 2], strides = [2, 2], auto_pad = "{mode}"> (a)'
    )
    with compile_model(save(tmp_path, Network(nodes).build()), output=tmp_path / "library") as artifact:
        assert artifact.outputs[0].shape[2:] == shape


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"target": "vax"}, TargetError, "unknown target 'vax'; the targets, with other words for them, are arm "),
        (
            {"target": None},
            InputError,
            "target: expected a word, but got None; b2nn-compile --list-targets has the words",
        ),
        ({"tune": -1}, InputError, "tune is a number of trials, 0 or more, not -1"),
        (
            {"multi_level": True, "tune": 2},
            InputError,
            "tuning is for one instruction set, .* tune each target by itself",
        ),
        (
            {"multi_level": True, "target": "rpi5"},
            InputError,
            r"target rpi5 \(neon_dotprod\) has no level above it, .* or compile for one of arm, .*, x86, x86-avx512",
        ),
        ({"tune": "3"}, InputError, r"tune: expected a whole number, but got '3' \(str\)"),
        ({"binarize": {"a": 1}}, InputError, "binarize: expected a path, a Plan or None, but got {'a': 1}"),
        ({"dump_ir": 3}, InputError, r"dump_ir: expected a path or None, but got 3 \(int\)"),
        ({"input_shapes": (1, 4)}, InputError, r"input_shapes: expected shapes by the names .* not \(1, 4\)"),
        ({"input_shapes": {"input": "1x4"}}, InputError, "input_shapes: expected shapes by the names of the inputs"),
        ({"sign_zero": "0"}, InputError, r"sign_zero is one of \+1, -1, or not given, not '0'"),
        ({"input_shapes": {"input": (1, 3, 9, 7)}}, InputError, "but 1,3,9,7 was given"),
    ],
)
def test_wrong_options(tmp_path, options, error, text):
    path = save(tmp_path, SMALL.build())
    with pytest.raises(error, match=text):
        compile_model(path, output=tmp_path / "library", **options)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("given", [None, 3, b"a model", SMALL.build()], ids=lambda value: type(value).__name__)
def test_what_is_no_path(tmp_path, given):
    with pytest.raises(
        InputError, match="^onnx_path: expected a path, but got .*; give an ONNX file, which onnx.save writes of a"
    ):
        compile_model(given, output=tmp_path / "library")


def test_what_progress_raises_ends_the_work_and_passes_as_it_is(tmp_path):
    class Cancelled(Exception):
        pass

    def progress(phase, done, total):
        if phase == "compile: schedule":
            raise Cancelled(phase)

    with pytest.raises(Cancelled, match="^compile: schedule$"):
        compile_model(save(tmp_path, SMALL.build()), output=tmp_path / "library", progress=progress)
    assert not (tmp_path / "library").exists()


def test_a_file_where_the_folder_should_be(tmp_path):
    path = save(tmp_path, SMALL.build())
    with pytest.raises(InputError, match="model.onnx: expected a folder for the library, but this is a file"):
        compile_model(path, output=path)
    assert onnx.load(path).graph.node[0].op_type == "Conv"


def test_a_path_that_is_no_model(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        compile_model(tmp_path / "absent.onnx", output=tmp_path / "library")
    assert list(Path(tmp_path).iterdir()) == []
    path = tmp_path / "empty.onnx"
    onnx.save(model("output = Identity (input)"), path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="expected an ONNX model"):
        compile_model(path, output=tmp_path / "library")
