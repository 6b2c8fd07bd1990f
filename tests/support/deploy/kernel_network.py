"""Networks of kernel calls, lowered to programs that are run here step by step, on numpy memory."""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax, topi

from b2nn_tvm.deploy.codegen.lower_to_program import LoweringContext, lower_to_program
from b2nn_tvm.deploy.codegen.plan_arena import ALIGNMENT
from b2nn_tvm.deploy.codegen.program import Storage
from b2nn_tvm.kernel_attrs import ROLE, Role

SHAPE = (3, 5)
KERNELS = {
    "add": (topi.add, np.add),
    "double": (lambda a: topi.add(a, a), lambda a: a + a),
    "negate": (topi.negative, np.negative),
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
    symbols = {name.name_hint: prefix + name.name_hint for name in module.get_global_vars()}
    program = lower_to_program(
        module, symbols=symbols, inputs=names, outputs=outputs, workspace_bytes=workspace_bytes, context=context
    )
    return program, module


def run(program, module, *inputs):
    """What the runtime does, with numpy in place of the kernels; the arena is full of rubbish at the start."""
    memory = {
        Storage.ARENA: np.full(program.arena_bytes, 0xA5, np.uint8),
        Storage.CONSTANT: np.frombuffer(bytes(program.constants), np.uint8),
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
