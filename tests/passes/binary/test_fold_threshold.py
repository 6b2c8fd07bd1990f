import numpy as np
import onnx
import onnxruntime
import pytest
import tvm
from onnx import numpy_helper
from tvm import relax
from tvm.relax import op

from b2nn_tvm import reference
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.passes.binary.fold_threshold import FoldThreshold, integer_thresholds
from b2nn_tvm.passes.pipeline import canonicalize, convert_layout
from b2nn_tvm.relax_query import calls, constant, definitions, op_name
from tests.support.networks.onnx_models import save
from tests.support.passes.chain import chain
from tests.support.passes.compile_context import apply_stage, context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, random_input, random_signs, run

SHAPE = (1, 6, 5, 4)  # NHWC
WEIGHT = random_signs((3, 3, 4, 5))  # HWIO
REACH = 36
GAIN = np.array([0.5, -0.25, 0, 0, 1e-30], np.float32).reshape(1, 1, 1, 5)
BIAS = np.array([1.25, 1, 0.5, -0.5, 3e-29], np.float32).reshape(1, 1, 1, 5)
# 0.5 y + 1.25 >= 0 from y = -2.5; -0.25 y + 1 >= 0 from -y = -4; always; never; 1e-30 y + 3e-29 >= 0 from y = -30
LIMIT = np.array([-2, -4, -REACH, REACH + 1, -30], np.float32).reshape(1, 1, 1, 5)
FLIPPED = WEIGHT * np.array([1, -1, 1, 1, 1], np.float32)


def conv(x, weight=WEIGHT, **kwargs):
    return op.nn.conv2d(op.sign(x), const(weight), padding=1, data_layout="NHWC", kernel_layout="HWIO", **kwargs)


def affine(y, gain=GAIN, bias=BIAS):
    return op.add(op.multiply(y, const(gain)), const(bias))


def folded(x, limit=LIMIT, weight=FLIPPED):
    return op.sign(op.subtract(conv(x, weight), const(limit)))


def apply(before):
    return FoldThreshold(context())(before)


def test_batch_norm_and_sign_become_integer_thresholds():
    assert_becomes(apply, lambda x: op.sign(affine(conv(x))), folded, SHAPE)


def test_gain_and_bias_alone():
    ones = np.ones((1, 1, 1, 5), np.float32)
    assert_becomes(
        apply,
        lambda x: op.sign(op.multiply(conv(x), const(-2 * ones))),
        lambda x: folded(x, 0 * ones, -WEIGHT),
        SHAPE,
    )
    assert_becomes(
        apply, lambda x: op.sign(op.add(conv(x), const(1.5 * ones))), lambda x: folded(x, -ones, WEIGHT), SHAPE
    )


def test_the_threshold_of_the_next_layer_is_folded_too():
    limit = np.array([1.25, 0, 0.5, -0.5, 3e-29], np.float32).reshape(1, 1, 1, 5)
    # the first, third, fourth and fifth channels compare g * y with 0; the second -0.25 y + 1 with 0 as before
    expected = np.array([0, -4, -REACH, -REACH, 0], np.float32).reshape(1, 1, 1, 5)
    assert_becomes(
        apply,
        lambda x: op.sign(op.subtract(affine(conv(x)), const(limit))),
        lambda x: folded(x, expected),
        SHAPE,
    )


def test_the_sign_of_a_padded_input_is_folded():
    """Padding with -1 stands between the next sign and its convolution, not between this one and its affine map."""

    def padded(x):
        return op.nn.pad(op.sign(x), [0, 0, 1, 1, 1, 1, 0, 0], "constant", -1.0)

    def layer(x, weight):
        return op.nn.conv2d(padded(x), const(weight), data_layout="NHWC", kernel_layout="HWIO")

    assert_becomes(
        apply,
        lambda x: op.sign(affine(layer(x, WEIGHT))),
        lambda x: op.sign(op.subtract(layer(x, FLIPPED), const(LIMIT))),
        SHAPE,
    )


def second_reader_of_the_affine_map(x):
    y = affine(conv(x))
    return op.add(op.sign(y), y)


def second_reader_of_the_convolution(x):
    y = conv(x)
    return op.add(op.sign(affine(y)), y)


def second_reader_of_the_shifted_value(x):
    y = op.subtract(affine(conv(x)), const(BIAS))
    return op.add(op.sign(y), y)


def reader_in_a_tuple(x):
    y = affine(conv(x))
    return op.concat([op.sign(y), y], axis=3)


STAYS = {
    "the affine map has a second reader": second_reader_of_the_affine_map,
    "the convolution has a second reader": second_reader_of_the_convolution,
    "the value minus its threshold has a second reader": second_reader_of_the_shifted_value,
    "the second reader takes a tuple": reader_in_a_tuple,
    "nothing between convolution and sign": lambda x: op.sign(conv(x)),
    "a constant per pixel": lambda x: op.sign(op.multiply(conv(x), const(random_input((1, 6, 5, 1))))),
    "weights that are not -1 and +1": lambda x: op.sign(affine(conv(x, 2 * WEIGHT))),
    "something else in between": lambda x: op.sign(affine(op.nn.relu(conv(x)))),
    "a channels-first convolution": lambda x: op.sign(
        op.add(op.nn.conv2d(op.sign(x), const(random_signs((5, 6, 3, 3))), padding=1), const(np.float32(1)))
    ),
}


@pytest.mark.parametrize("why", STAYS)
def test_stays(why):
    assert_stays(apply, STAYS[why], SHAPE)


def test_a_convolution_of_floats_is_no_integer():
    """Weights of -1 and +1 do not make the sums integers: the input has to be signs too."""

    def body(x):
        sums = op.nn.conv2d(x, const(WEIGHT), padding=1, data_layout="NHWC", kernel_layout="HWIO")
        return op.sign(affine(sums))

    assert_stays(apply, body, SHAPE)


def test_a_value_that_is_an_output_as_well_stays():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(SHAPE, "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit(affine(conv(x)))
            results = builder.emit_output(relax.Tuple([y, builder.emit(op.sign(y))]))
        builder.emit_func_output(results)
    before = builder.get()
    tvm.ir.assert_structural_equal(apply(before), before)


@pytest.mark.parametrize("seed", range(3))
def test_integer_thresholds_against_all_integers(seed):
    """Whatever gain, bias and threshold are: the same sign as the float32 arithmetic, for every sum that can occur."""
    rng = np.random.default_rng(seed)
    count, reach = 400, 40
    sizes = np.array([0, 1e-45, 1e-40, 1e-30, 1e-7, 0.1, 1, 3e5, 1e30, 3e38])  # 1e-45 and 1e-40 are subnormal
    gain = (rng.choice(sizes, count) * rng.uniform(0.5, 1, count) * rng.choice([-1, 1], count)).astype(np.float32)
    integers = rng.integers(-reach - 2, reach + 3, count)
    threshold = (rng.standard_normal(count) * rng.choice([0, 1, 1e-38, 1e6], count)).astype(np.float32)
    # Near the sum where it changes sides, exactly on it, and far away.
    with np.errstate(over="ignore", invalid="ignore"):
        bias = (threshold - gain * integers * rng.choice([1, 1 + 1e-7, 0.9], count)).astype(np.float32)
    bias = np.where(np.isfinite(bias), bias, np.float32(0))
    limit = integer_thresholds(gain, bias, threshold, reach)
    assert limit.dtype == np.float32
    y = np.arange(-reach, reach + 1, dtype=np.float32)
    with np.errstate(over="ignore"):
        expected = gain[:, None] * y + bias[:, None] >= threshold[:, None]
    assert expected.dtype == bool and 0.2 < expected.mean() < 0.8
    seen = np.where(gain < 0, -1, 1)[:, None] * y  # the sums after the filters were flipped
    np.testing.assert_array_equal(seen >= limit[:, None], expected)


def test_integer_thresholds_one_by_one():
    """Read off by hand. 0.1 * 3 is 0.3 in float32; without the rounding it were less, and the threshold 4."""
    cases = [
        (1, 0, 0, 0),
        (1, 0, 0.5, 1),
        (1, -3, 0, 3),
        (-1, 0, 0.5, 1),
        (-1, 3, 0, -3),
        (0, 0, 0, -9),
        (0, -1e-30, 0, 10),
        (0.1, -0.3, 0, 3),
        (1e-45, 0, 1e-45, 1),
        (1, 9, 0, -9),
        (1, -10, 0, 10),
        (-0.0, 1, 1, -9),
    ]
    gain, bias, threshold, expected = (np.array(column, np.float32) for column in zip(*cases))
    np.testing.assert_array_equal(integer_thresholds(gain, bias, threshold, 9), expected)


# ---- chains of layers, as they come from a file


def lowered(path):
    canonical = apply_stage(canonicalize, import_onnx(path).module)
    return apply_stage(convert_layout, canonical), apply(apply_stage(convert_layout, canonical))


@pytest.mark.parametrize("pad_value", [None, 1, -1])
def test_every_layer_of_a_chain_is_folded(tmp_path, pad_value):
    """The second and later layers too: there the affine map belongs to a convolution that was rewritten before."""
    layers = 5
    before, after = lowered(save(tmp_path, chain(layers, pad_value=pad_value, classifier=True)))
    definition = definitions(after["main"])
    names = [op_name(call) for _, call in calls(after["main"])]
    assert names.count("relax.nn.conv2d") == layers + 1 and "relax.multiply" not in names and "relax.add" not in names
    thresholds = [definition(call.args[0]) for _, call in calls(after["main"]) if op_name(call) == "relax.sign"]
    folded = [call for call in thresholds if op_name(call) == "relax.subtract"]
    assert len(folded) == layers  # all but that of the network's input
    for call in folded:
        limit = constant(call.args[1])
        assert (limit == np.rint(limit)).all() and op_name(definition(call.args[0])) == "relax.nn.conv2d"
    x = random_input((1, 12, 6, 5))
    np.testing.assert_array_equal(run(after, x), run(before, x))


@pytest.mark.parametrize("seed", range(3))
def test_the_same_signs_as_onnxruntime(tmp_path, seed):
    """Wherever onnxruntime's own value is not within rounding of 0; behind such a value nothing is compared."""
    layers = 3
    built = chain(layers, seed=seed)
    path = save(tmp_path, built)
    x = random_input((1, 12, 6, 5), seed)
    _, after = lowered(path)
    compared = 0
    for i in range(1, layers + 1):
        values, signs = reference_values(path, (f"b{i}", f"s{i}"), x)
        prefix = save(tmp_path, chain(i, seed=seed), f"first{i}.onnx")
        ours = run(lowered(prefix)[1], x)
        sure = np.abs(values) > 1e-5
        np.testing.assert_array_equal(ours[sure], signs[sure])
        compared += sure.sum()
        if not sure.all():
            break
    assert compared >= signs.size
    assert set(np.unique(run(after, x))) == {-1, 1}


def reference_values(path, names, x):
    """The values of these names as onnxruntime computes them."""
    built = onnx.load(path)
    del built.graph.output[:]
    built.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(built.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(names, {"input": x})


def test_zero_gamma_makes_a_constant_sign(tmp_path):
    """Where gamma is 0 the sign is that of beta, whatever the layer sees."""
    built = chain(1)
    (beta,) = (numpy_helper.to_array(tensor) for tensor in built.graph.initializer if tensor.name == "beta1")
    _, after = lowered(save(tmp_path, built))
    out = run(after, random_input((1, 12, 6, 5)))
    assert (out[0, 2] == reference.sign(beta[2])).all()
