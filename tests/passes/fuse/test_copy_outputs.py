import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.passes.fuse.copy_outputs import CopyOutputs
from b2nn_tvm.relax_query import calls
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import const, random_input

SHAPE = (2, 3, 4)
TABLE = np.arange(6, dtype=np.int32).reshape(2, 3)


def module(*results, inside=True):
    """The network whose results are given as functions of (builder, x, relu of x), after legalization and fusion."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(SHAPE, "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit(op.nn.relu(x)) if inside else None
            values = [result(builder, x, y) for result in results]
            output = builder.emit_output(values[0] if len(values) == 1 else relax.Tuple(values))
        builder.emit_func_output(output)
    transform = relax.transform
    passes = [transform.LegalizeOps(), transform.FuseOps(), transform.FuseTIR(), transform.CanonicalizeBindings()]
    return tvm.transform.Sequential([*passes, transform.DeadCodeElimination()])(builder.get())


def relu(builder, x, y):
    return y


def input_itself(builder, x, y):
    return x


def input_reshaped(builder, x, y):
    return builder.emit(op.reshape(x, (4, 6)))


def input_reshaped_and_back(builder, x, y):
    """Two blocks of one kernel, of which a schedule makes one."""
    return builder.emit_te(lambda t: tvm.topi.reshape(tvm.topi.reshape(t, (4, 6)), SHAPE), x)


def relu_reshaped(builder, x, y):
    return builder.emit(op.reshape(y, (24,)))


def table(builder, x, y):
    return const(TABLE, "int32")


def negated(builder, x, y):
    return builder.emit(op.negative(x))


def run(mod, x):
    machine = relax.VirtualMachine(tvm.compile(mod, target="llvm"), tvm.cpu())
    found = machine["main"](tvm.runtime.tensor(x))
    return [t.numpy() for t in ([found] if hasattr(found, "numpy") else found)]


def copies(mod):
    return sum(getattr(call.args[0], "name_hint", "").startswith("copy") for _, call in calls(mod["main"]))


def test_an_input_is_copied():
    before = module(relu, input_itself)
    after = CopyOutputs(context())(before)

    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(SHAPE, "float32"))
    place = tvm.te.placeholder(SHAPE, "float32", name="x")
    relu_kernel = before["relu"]
    copy_kernel = tvm.te.create_prim_func([place, tvm.topi.identity(place)]).without_attr("global_symbol")
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit(relax.call_tir(builder.add_func(relu_kernel, "relu"), [x], out_ty=x.ty))
            z = builder.emit_output(relax.call_tir(builder.add_func(copy_kernel, "copy"), [x], out_ty=x.ty))
            output = builder.emit_output(relax.Tuple([y, z]))
        builder.emit_func_output(output)
    tvm.ir.assert_structural_equal(after["main"], builder.get()["main"], map_free_vars=True)


# (outputs, how many of them are copied)
CASES = {
    "an input beside a computed tensor": ((relu, input_itself), 1),
    "an input twice": ((input_itself, input_itself), 2),
    "a constant": ((relu, table), 1),
    "a constant twice": ((table, table), 2),
    "a computed tensor twice": ((relu, relu, negated), 1),
    "a view of an input": ((relu, input_reshaped), 1),
    "a view of an input in two steps": ((relu, input_reshaped_and_back), 1),
    "a view of another output": ((relu, relu_reshaped), 1),
    "two views of one tensor": ((relu_reshaped, relu_reshaped), 1),
    "all at once": ((input_reshaped, table, relu, negated, relu_reshaped, input_itself), 4),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_copied_and_that_the_numbers_are_the_same(case):
    results, count = CASES[case]
    before = module(*results)
    after = CopyOutputs(context())(before)
    assert (copies(before), copies(after)) == (0, count)
    x = random_input(SHAPE)
    for ours, expected in zip(run(after, x), run(before, x), strict=True):
        np.testing.assert_array_equal(ours, expected)
        assert ours.dtype == expected.dtype


def test_a_network_that_only_hands_on_its_input():
    after = CopyOutputs(context())(module(input_itself, inside=False))
    assert copies(after) == 1
    x = random_input(SHAPE)
    np.testing.assert_array_equal(run(after, x)[0], x)


@pytest.mark.parametrize("results", [(relu,), (relu, negated), (relu_reshaped,), (input_reshaped,)])
def test_outputs_that_kernels_write_stay(results):
    """A reshape that is the only output is a kernel of its own, not a view."""
    before = module(*results)
    tvm.ir.assert_structural_equal(CopyOutputs(context())(before), before)


def test_the_copies_are_no_views():
    """Relax must not see a reshape in the copy, or the library would have no kernel that writes the output."""
    views = relax.transform.RewriteDataflowReshape()(CopyOutputs(context())(module(relu, input_reshaped, input_itself)))
    assert copies(views) == 2
