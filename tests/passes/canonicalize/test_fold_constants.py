import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.passes.canonicalize.fold_constants import FoldConstants
from b2nn_tvm.provenance.layer_names import weight_digest
from b2nn_tvm.relax_query import calls, constant, definitions, op_name
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import NETWORKS
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run, tidy

GAMMA = np.array([1.5, -2, 0.25, 3], np.float32).reshape(4, 1, 1)
VARIANCE = np.array([4, 1, 0.25, 16], np.float32)


@pytest.mark.compiles
def test_what_depends_on_constants_alone_is_computed():
    def before(x):
        deviation = op.sqrt(op.add(const(VARIANCE), const(np.float32(0))))
        return op.divide(op.multiply(x, const(GAMMA)), op.reshape(deviation, (1, 4, 1, 1)))

    def expected(x):
        return op.divide(op.multiply(x, const(GAMMA)), const(np.sqrt(VARIANCE).reshape(1, 4, 1, 1)))

    assert_becomes(FoldConstants(context()), before, expected)
    x = random_input()
    np.testing.assert_array_equal(run(FoldConstants(context())(module(before)), x), run(module(expected), x))


def test_a_tuple_of_constants_is_a_constant():
    before = lambda x: op.add(x, op.reshape(op.concat([const(VARIANCE[:1]), const(VARIANCE[1:])]), (4, 1, 1)))
    assert_becomes(FoldConstants(context()), before, lambda x: op.add(x, const(VARIANCE.reshape(4, 1, 1))))


def test_a_transposed_matrix_is_known_by_the_digest_of_the_matrix():
    """The weights of a dense layer, [O, I] in the file, are neither copied nor hashed again to find its name."""
    weight = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    own = context()
    before = module(lambda x: op.matmul(x, op.permute_dims(const(weight))), (2, 5))
    after = FoldConstants(own)(before)
    assert run(after, np.ones((2, 5), np.float32)).shape == (2, 3)
    (product,) = [call for _, call in calls(after["main"]) if op_name(call) == "relax.matmul"]
    transposed = constant(definitions(after["main"])(product.args[1]))
    np.testing.assert_array_equal(transposed, weight.T)
    asked = []
    own.digest._function = lambda array: asked.append(array.shape) or ""
    assert own.digest(transposed.T) == weight_digest(weight)
    assert not asked


STAYS = {
    "no constants": lambda x: op.add(x, op.nn.relu(x)),
    "a constant and an input": lambda x: op.multiply(op.add(x, const(GAMMA)), const(GAMMA)),
    "a tuple that is no constant": lambda x: op.concat([x, const(np.zeros((1, 1, 6, 5)))], axis=1),
}


@pytest.mark.parametrize("why", STAYS)
def test_stays(why):
    assert_stays(FoldConstants(context()), STAYS[why])


@pytest.mark.compiles
@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_is_left_that_relax_would_fold(tmp_path, name):
    imported = relax.transform.DecomposeOpsForInference()(import_onnx(save(tmp_path, NETWORKS[name].build())).module)
    ours, theirs = tidy(FoldConstants(context())(imported)), tidy(relax.transform.FoldConstant()(imported))
    tvm.ir.assert_structural_equal(ours["main"], theirs["main"])
