"""The memory plan of a lowered network: what is with the caller, in the arena and in the constants."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import relax

from b2nn_tvm.deploy.codegen.lower_to_program import LoweringContext, lower_to_program
from b2nn_tvm.deploy.codegen.plan_arena import ALIGNMENT
from b2nn_tvm.deploy.codegen.program import Storage
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.kernel_attrs import BORDERED
from tests.support.deploy.kernel_network import SHAPE, Network, data, lowered, places, run


def test_a_chain_takes_turns_in_two_places():
    def body(net, x):
        for _ in range(9):
            x = net.call("double", x)
        return x

    program, module = lowered(body, (100, 16))
    assert program.arena_bytes == 2 * 100 * 16 * 4
    np.testing.assert_array_equal(run(program, module, data((100, 16)))[0], 512 * data((100, 16)))


def test_outputs_take_no_room_in_the_arena():
    program, module = lowered(
        lambda net, x: [a := net.call("double", x), b := net.call("negate", a), net.call("add", a, b)],
        outputs=("a", "b", "c"),
    )
    assert program.arena_bytes == ALIGNMENT and not places(program, Storage.ARENA)
    for ours, expected in zip(run(program, module, data()), (2 * data(), -2 * data(), 0 * data()), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_constants_are_aligned_and_stored_once():
    first, second = data(seed=1), data(seed=2)

    def body(net, x):
        for value in (first, second, first.copy()):
            x = net.call("add", x, relax.const(value))
        return x

    program, module = lowered(body)
    assert places(program, Storage.CONSTANT) == [0, ALIGNMENT, 0]
    assert len(program.constants) == ALIGNMENT + second.nbytes
    np.testing.assert_array_equal(run(program, module, data())[0], data() + 2 * first + second)


@pytest.mark.parametrize("seed", range(12))
def test_no_tensor_is_overwritten_while_it_is_still_read(seed):
    """Random networks of 40 kernels: values live long and short, in three sizes, some are outputs, some are seen in
    views.
    """
    rng = np.random.default_rng(seed)

    def body(net, x):
        tensors = [x]
        for _ in range(40):
            kernel = rng.choice(["add", "double", "negate", "widen", "view"])
            source = tensors[rng.integers(len(tensors))]
            rows, columns = (int(d) for d in source.ty.shape)
            if kernel == "view":
                tensors.append(net.view(source, (columns, rows)))
            elif kernel == "add":
                tensors.append(net.call("add", source, next(t for t in tensors if t.ty == source.ty)))
            elif kernel == "widen" and rows * columns >= 60:
                tensors.append(net.call("negate", source))
            else:
                tensors.append(net.call(kernel, source))
        kept = [tensors[i] for i in rng.choice(np.arange(1, len(tensors)), 3, replace=False)]
        return [net.call("negate", tensor) for tensor in kept] + [net.call("double", tensors[-1])]

    program, module = lowered(body, outputs=("a", "b", "c", "d"))
    used = run(program, module, data())
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    for ours, expected in zip(used, machine["main"](tvm.runtime.tensor(data())), strict=True):
        np.testing.assert_array_equal(ours, expected.numpy())


def bordered(body, **borders):
    """The program of ``body`` whose kernels of these names write inside a border, and its module."""
    module = Network(SHAPE).build(body)
    for name, border in borders.items():
        module.update_func(module.get_global_var(name), module[name].with_attr(BORDERED, border))
    context = LoweringContext(lambda constants: None)
    symbols = {name.name_hint: "k_" + name.name_hint for name in module.get_global_vars()}
    return lower_to_program(
        module, symbols=symbols, inputs=["x0"], outputs=["output"], workspace_bytes=0, context=context
    ), module


def in_turn(*kernels):
    def body(net, x):
        for kernel in kernels:
            x = net.call(kernel, x)
        return x

    return body


def test_a_bordered_output_shares_its_memory_with_nothing_else():
    """Its kernel leaves the border as it is, zero since the library was loaded: nobody else may write there."""
    body = in_turn("negate", "negate", "negate", "double", "negate", "negate", "negate")
    program, module = bordered(body, double=[1, 1, 1, 1])
    (bordered_step,) = [step for step in program.steps if step.symbol == "k_double"]
    place = bordered_step.arguments[-1]
    others = [a for step in program.steps for a in step.arguments if a.storage is Storage.ARENA and a != place]
    size = 4 * SHAPE[0] * SHAPE[1]
    assert others and all(a.offset >= place.offset + size or a.offset + size <= place.offset for a in others)
    written = [step.symbol for step in program.steps if step.arguments[-1] == place]
    assert written == ["k_double"] and place.offset + size <= program.arena_bytes
    np.testing.assert_array_equal(run(program, module, data())[0], 2 * data())


def test_outputs_with_the_same_border_share_memory_one_after_the_other():
    """The second waits until the first has been read, also by its own kernel; the third takes the first's place."""
    program, module = bordered(in_turn("double", "double", "double", "double", "negate"), double=[1, 1, 1, 1])
    first, second, third, fourth = (step.arguments[-1].offset for step in program.steps[:4])
    assert (third, fourth) == (first, second) and first != second
    np.testing.assert_array_equal(run(program, module, data())[0], -16 * data())


def test_a_bordered_output_that_is_read_later_keeps_its_memory():
    def body(net, x):
        kept = net.call("double", x)
        for _ in range(4):
            x = net.call("negate", net.call("double", x))
        return net.call("add", x, kept)

    program, module = bordered(body, double=[1, 1, 1, 1])
    kept, *others = (step.arguments[-1].offset for step in program.steps if step.symbol == "k_double")
    assert len(set(others)) == 1 and kept not in others
    np.testing.assert_array_equal(run(program, module, data())[0], 18 * data())


def test_outputs_with_other_borders_or_shapes_do_not_share_memory():
    """The border of one is inside the other."""
    names = ("double", "negate", "double", "negate", "double", "negate")
    program, _ = bordered(in_turn(*names), double=[1, 1, 1, 1], negate=[2, 0, 1, 1])
    double, negate = (
        {s.arguments[-1].offset for s in program.steps[:5] if s.symbol == f"k_{name}"} for name in names[:2]
    )
    assert len(double) == 1 and len(negate) == 1 and double != negate


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (lambda net, x: [net.call("double", x), x], "second"),
        (lambda net, x: [net.call("double", x), relax.const(data())], "second"),
        (lambda net, x: [y := net.call("double", x), y], "second"),
        (lambda net, x: [y := net.call("double", x), net.view(y, (15,))], "second"),
        (lambda net, x: [x, net.call("double", x)], "first"),
    ],
    ids=["an input", "a constant", "the same twice", "a view of another", "an input first"],
)
def test_outputs_that_no_kernel_writes_are_refused(body, named):
    with pytest.raises(UnsupportedError, match=f"output '{named}' is an input, a constant or another output"):
        lowered(body, outputs=("first", "second"))
