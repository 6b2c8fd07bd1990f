import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.kernel_attrs import OPERATIONS, ROLE, Role
from b2nn_tvm.ops.conv2d import conv2d, pack_weights
from b2nn_tvm.ops.expand_weights import expand_weights, pack_bits
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.fuse.pack_weights import PackWeights
from b2nn_tvm.passes.lower.lower_conv2d import LowerConv2d
from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest
from b2nn_tvm.provenance.rewrite_log import Rewrite
from b2nn_tvm.workload import ConvWorkload
from tests.support.passes.compile_context import context
from tests.support.passes.convolutions import conv, kernels, weights
from tests.support.passes.relax_functions import const, module, random_input, random_signs, run, tidy

AVX2 = VectorLayout(float_lanes=8, word="uint8", max_binary_lanes=32)
NEON = VectorLayout(float_lanes=4, word="uint8", max_binary_lanes=64, binary_register=16)
SHAPE = (1, 9, 7, 6)  # NHWC


def lowered(body, shape, layout=AVX2, layers=()):
    own = context(layout=layout, layers=layers)
    return LowerConv2d(own)(module(body, shape)), own


def test_weights_of_one_and_minus_one_are_a_constant_of_bits():
    """The convolution itself is the same function as before."""
    signs = random_signs((3, 3, 6, 8))
    packed = pack_weights(signs.transpose(3, 2, 0, 1), lanes=8)
    workload = ConvWorkload(1, 6, 9, 7, 8, (3, 3))

    def expected(x):
        builder = relax.BlockBuilder.current()
        role = {ROLE: str(Role.CONVOLUTION)}
        function = {"primfunc_name_hint": "conv2d", "primfunc_attrs": {"op_pattern": 4, **role}}
        role = {ROLE: str(Role.EXPAND_WEIGHTS)}
        expand = {"primfunc_name_hint": "expand_weights", "primfunc_attrs": {OPERATIONS: ["unpack weights"], **role}}
        bits = builder.call_te(
            lambda b: expand_weights(b, channels=6, lanes=8), relax.const(pack_bits(packed)), **expand
        )
        return builder.call_te(lambda x, w: conv2d(x, w, workload=workload), x, builder.emit(bits), **function)

    before, own = lowered(lambda x: conv(x, signs), SHAPE)
    tvm.ir.assert_structural_equal(tidy(PackWeights(own)(before)), tidy(module(expected, SHAPE)))


# (input, weights HWIO, attributes, kernels)
CASES = {
    "direct": (SHAPE, (3, 3, 6, 20), {"strides": 2}, ["expand_weights", "conv2d"]),
    "padded": (SHAPE, (3, 3, 6, 20), {"padding": 1}, ["pad_input", "expand_weights", "conv2d"]),
    "one channel, one filter": ((1, 9, 7, 1), (3, 3, 1, 1), {}, ["expand_weights", "conv2d"]),
    "four blocks of a 4x4 kernel": (SHAPE, (4, 4, 6, 16), {}, ["expand_weights", "conv2d"]),
    "groups": (SHAPE, (3, 3, 3, 8), {"groups": 2, "padding": 1}, ["pad_input", "expand_weights", "conv2d"]),
    "groups of one output": (SHAPE, (3, 3, 2, 3), {"groups": 3}, ["expand_weights", "conv2d"]),
    "winograd": ((1, 12, 10, 16), (3, 3, 16, 20), {}, ["expand_weights", "winograd_conv2d"]),
}


@pytest.mark.parametrize("layout", [AVX2, NEON], ids=["avx2", "neon"])
@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_the_same(case, layout):
    shape, weight_shape, attrs, names = CASES[case]
    signs = random_signs(weight_shape)
    before, own = lowered(lambda x: conv(x, signs, **attrs), shape, layout)
    after = PackWeights(own)(before)
    assert kernels(after) == names
    x = random_input(shape)
    np.testing.assert_array_equal(run(after, x), run(before, x))


@pytest.mark.parametrize(
    "body",
    [
        lambda x: conv(x, weights(3, 3, 6, 5)),
        lambda x: conv(x, 2 * random_signs((3, 3, 6, 5))),
        lambda x: conv(x, random_signs((3, 3, 1, 6)), groups=6),
        lambda x: op.matmul(op.reshape(x, (63, 6)), const(random_signs((6, 5)))),
    ],
)
def test_other_layers_stay(body):
    before, own = lowered(body, SHAPE)
    tvm.ir.assert_structural_equal(tidy(PackWeights(own)(before)), tidy(before))


def test_a_single_weight_to_a_filter_stays():
    before, own = lowered(lambda x: conv(x, random_signs((1, 1, 1, 5))), (1, 9, 7, 1))
    assert kernels(PackWeights(own)(before)) == ["conv2d"]


def test_the_log_and_the_index_learn_of_it():
    signs = random_signs((3, 3, 6, 8))
    layer = NamedLayer("stem", "conv2d", weight_digest(signs.transpose(3, 2, 0, 1)))
    before, own = lowered(lambda x: conv(x, signs), SHAPE, layers=[layer])
    PackWeights(own)(before)
    reason = "its weights are 54 bytes of bits, expanded in each run to 1728 bytes of floats"
    assert own.log.in_order(["stem"])[-1] == Rewrite("stem", "PackWeights", True, reason)
    found = own.kernels.find([pack_bits(pack_weights(signs.transpose(3, 2, 0, 1), lanes=8))])
    assert (found.name, found.precision, found.weight_bytes) == ("stem", "weight-binary", 54)
