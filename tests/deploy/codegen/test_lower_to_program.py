"""The memory plan and the booking of a lowered network: programs are run here step by step, on numpy memory."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import relax, topi
from tvm.relax import op

from b2nn_tvm.deploy.codegen.lower_to_program import ALIGNMENT, LoweringContext, lower_to_program
from b2nn_tvm.deploy.codegen.program import Storage, TensorSpec
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.kernel_attrs import BORDERED, ROLE, Role
from b2nn_tvm.provenance.kernel_layers import KernelLayer

SHAPE = (3, 5)
KERNELS = {
    "add": (lambda a, b: topi.add(a, b), np.add),
    "double": (lambda a: topi.add(a, a), lambda a: a + a),
    "negate": (lambda a: topi.negative(a), np.negative),
    "widen": (lambda a: topi.concatenate([a, a], axis=0), lambda a: np.concatenate([a, a])),
    "pack_signs": (
        lambda a: topi.cast(topi.greater(a, tvm.tirx.const(0.0, "float32")), "uint8"),
        lambda a: (a > 0).astype(np.uint8),
    ),
    "pad_input": (lambda a: topi.nn.pad(a, [1, 0], [0, 2]), lambda a: np.pad(a, [(1, 0), (0, 2)])),
}
ROLES = {"pack_signs": Role.PACK_SIGNS, "pad_input": Role.PAD_INPUT}


class Network:
    """A Relax function of kernel calls under construction."""

    def __init__(self, *shapes):
        self.builder = relax.BlockBuilder()
        self.inputs = [relax.Var(f"x{i}", relax.TensorType(shape, "float32")) for i, shape in enumerate(shapes)]

    def build(self, body):
        """The module whose results are what ``body(network, *inputs)`` returns: a tensor or a list of them."""
        with self.builder.function("main", self.inputs):
            with self.builder.dataflow():
                result = body(self, *self.inputs)
                output = self.builder.emit_output(relax.Tuple(result) if isinstance(result, list) else result)
            self.builder.emit_func_output(output)
        return relax.transform.CanonicalizeBindings()(self.builder.get())

    def call(self, kernel, *args):
        attrs = {ROLE: str(ROLES[kernel])} if kernel in ROLES else None
        compute = KERNELS[kernel][0]
        return self.builder.emit(self.builder.call_te(compute, *args, primfunc_name_hint=kernel, primfunc_attrs=attrs))

    def view(self, x, shape):
        kernel = self.builder.call_te(lambda t: topi.reshape(t, shape), x, primfunc_name_hint="reshape")
        return self.builder.emit(kernel)


def lowered(body, *shapes, outputs=("output",), prefix="k_", workspace_bytes=0, **context):
    module = Network(*(shapes or (SHAPE,))).build(body)
    context = LoweringContext(**{"find_layer": lambda constants: None, **context})
    names = [f"x{index}" for index in range(len(shapes or (SHAPE,)))]
    program = lower_to_program(
        module, prefix=prefix, inputs=names, outputs=outputs, workspace_bytes=workspace_bytes, context=context
    )
    return program, module


def run(program, module, *inputs):
    """What the runtime does, with numpy in place of the kernels; the arena is full of rubbish at the start."""
    memory = {
        Storage.ARENA: np.full(program.arena_bytes, 0xA5, np.uint8),
        Storage.CONSTANT: np.frombuffer(program.constants, np.uint8),
    }
    outputs = [np.full(spec.shape, 77, spec.dtype) for spec in program.outputs]

    def tensor(argument, parameter):
        shape, dtype = tuple(int(d) for d in parameter.shape), np.dtype(str(parameter.dtype))
        if argument.storage is Storage.INPUT:
            return inputs[argument.offset].reshape(shape)
        if argument.storage is Storage.OUTPUT:
            return outputs[argument.offset].reshape(shape)
        size = int(np.prod(shape)) * dtype.itemsize
        assert argument.offset % ALIGNMENT == 0
        return memory[argument.storage][argument.offset : argument.offset + size].view(dtype).reshape(shape)

    for step in program.steps:
        name = step.symbol.removeprefix("k_")
        tensors = [tensor(a, p) for a, p in zip(step.arguments, module[name].params, strict=True)]
        *sources, target = tensors
        assert not any(np.shares_memory(source, target) for source in sources), f"{name} reads what it writes"
        word = name.rstrip("0123456789").rstrip("_")
        target[...] = sources[0].reshape(target.shape) if word == "reshape" else KERNELS[word][1](*sources)
    return outputs


def data(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(np.float32)


def places(program, storage):
    return [a.offset for step in program.steps for a in step.arguments if a.storage is storage]


# ---- the memory plan


def test_one_kernel_reads_the_input_and_writes_the_output():
    program, module = lowered(lambda net, x: net.call("double", x), prefix="k_", workspace_bytes=123)
    (step,) = program.steps
    assert step.symbol == "k_double"
    assert [(a.storage, a.offset) for a in step.arguments] == [(Storage.INPUT, 0), (Storage.OUTPUT, 0)]
    assert program.inputs == (TensorSpec("x0", SHAPE, "float32"),)
    assert program.outputs == (TensorSpec("output", SHAPE, "float32"),)
    assert (program.arena_bytes, program.workspace_bytes, program.constants) == (ALIGNMENT, 123, b"")
    np.testing.assert_array_equal(run(program, module, data())[0], 2 * data())


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


def test_views_are_the_memory_of_what_they_show():
    def body(net, x):
        flat = net.view(net.call("double", x), (15,))
        return net.call("negate", net.view(net.call("negate", flat), SHAPE))

    program, module = lowered(body)
    assert [step.symbol for step in program.steps] == ["k_double", "k_negate", "k_negate1"]
    np.testing.assert_array_equal(run(program, module, data())[0], 2 * data())


def test_a_reshaped_output_is_written_by_a_kernel():
    program, module = lowered(lambda net, x: net.view(x, (15,)))
    assert program.outputs == (TensorSpec("output", (15,), "float32"),)
    np.testing.assert_array_equal(run(program, module, data())[0], data().reshape(15))


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


def test_several_inputs_in_their_order():
    program, module = lowered(
        lambda net, a, b, c: net.call("add", net.call("add", c, a), net.call("negate", b)), *[SHAPE] * 3
    )
    inputs = [data(seed=seed) for seed in range(3)]
    np.testing.assert_array_equal(run(program, module, *inputs)[0], inputs[2] + inputs[0] - inputs[1])
    assert [spec.name for spec in program.inputs] == ["x0", "x1", "x2"]


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
    return lower_to_program(
        module, prefix="k_", inputs=["x0"], outputs=["output"], workspace_bytes=0, context=context
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


# ---- what cannot be lowered


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


def test_operators_without_a_kernel_are_refused():
    with pytest.raises(UnsupportedError, match="operator relax.sort has no kernel"):
        lowered(lambda net, x: net.builder.emit(op.sort(x)))


# ---- booking


def find(layers):
    """The layer whose constant is all of the number by which ``layers`` knows it."""
    return lambda constants: next((layers[int(c.flat[0])] for c in constants if int(c.flat[0]) in layers), None)


CONV1 = KernelLayer("conv1", "conv2d", "binary", "work1")
CONV2 = KernelLayer("conv2", "conv2d", "float", "work2")
WEIGHT1, WEIGHT2 = np.full(SHAPE, 1, np.float32), np.full((4, 7), 2, np.float32)


def two_layers(net, x):
    y = net.call("negate", x)
    y = net.call("add", net.call("pack_signs", y), relax.const(WEIGHT1.astype(np.uint8)))
    y = net.builder.emit(net.builder.call_te(lambda t: topi.cast(t, "float32"), y, primfunc_name_hint="fused_cast1"))
    return net.call("add", net.call("pad_input", y), relax.const(WEIGHT2))


def test_rows_say_what_each_layer_became():
    program, _ = lowered(
        two_layers,
        find_layer=find({1: CONV1, 2: CONV2}),
        descriptions={"add": "first tile", "add1": "second tile", "negate": "generic"},
        reasons={"conv1": "never shown", "conv2": "its input is not a sign"},
    )
    rows = {row.name: row for row in program.layers}
    assert list(rows) == ["negate#0", "conv1", "cast#3", "conv2"]
    assert [step.layer for step in program.steps] == ["negate#0", "conv1", "conv1", "cast#3", "conv2", "conv2"]
    assert (rows["conv1"].op, rows["conv1"].precision, rows["conv1"].reason) == ("conv2d", "binary", "")
    assert (rows["conv1"].workload, rows["conv1"].schedule) == ("work1", "first tile")
    assert (rows["conv2"].precision, rows["conv2"].reason) == ("float", "its input is not a sign")
    assert (rows["conv2"].workload, rows["conv2"].schedule) == ("work2", "second tile")
    other = rows["negate#0"]
    assert (other.op, other.precision, other.reason, other.workload, other.schedule) == (
        "negate",
        "float",
        "",
        "",
        "generic",
    )


def test_the_bytes_of_a_row_are_those_of_its_constants():
    program, _ = lowered(two_layers, find_layer=find({1: CONV1, 2: CONV2}))
    sizes = {row.name: row.size_bytes for row in program.layers}
    assert sizes["negate#0"] == sizes["cast#3"] == 0
    assert sizes["conv1"] == 15 and sum(sizes.values()) == len(program.constants)


def test_packing_that_two_layers_share_is_booked_under_the_first():
    def body(net, x):
        packed = net.call("pack_signs", x)
        first = net.call("add", packed, relax.const(np.full(SHAPE, 1, np.uint8)))
        second = net.call("add", packed, relax.const(np.full(SHAPE, 2, np.uint8)))
        return [first, second]

    program, _ = lowered(body, outputs=("a", "b"), find_layer=find({1: CONV1, 2: CONV2}))
    assert [step.layer for step in program.steps] == ["conv1", "conv1", "conv2"]


def test_packing_that_no_layer_reads_has_a_row_of_its_own():
    program, _ = lowered(lambda net, x: net.call("pack_signs", x))
    assert [(row.name, row.op) for row in program.layers] == [("pack_signs#0", "pack_signs")]
