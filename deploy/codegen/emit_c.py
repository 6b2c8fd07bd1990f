"""The levels of a library -> one C file (tables and step functions) and one assembly file that holds the constants."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from b2nn_tvm.deploy.codegen.program import Argument, Program, Step, Storage, TensorSpec
from b2nn_tvm.deploy.codegen.share_constants import Level

ALIGNMENT = 64
MODEL_SOURCE = "model_tables.c"
CONSTANTS_SOURCE = "constants.S"
CONSTANTS_BLOB = "constants.bin"

Pieces = tuple[bytes | memoryview, ...]


def emit_c(levels: Sequence[Level], *, model_id: str) -> dict[str, Pieces]:
    """Return the generated files by name, in pieces: the C source, the assembly source and the blob that it includes.

    The ``levels`` have the same constants, inputs and outputs; the first one is for all CPUs of its target. Its target
    says which one the library is for. ``model_id`` is the answer of ``b2nn_model_id()``. Raises ValueError where a
    program contradicts itself: an offset is out of range or not aligned, a symbol is no C name or is called with
    different numbers of arguments.
    """
    first = levels[0].program
    for level in levels:
        check_program(level.program)
        if (level.program.inputs, level.program.outputs) != (first.inputs, first.outputs):
            raise ValueError(f"the level {level.target.vector} has other inputs or outputs than the first one")
    arities = {step.symbol: len(step.arguments) for level in levels for step in level.program.steps}
    lines = ['#include "program.h"', "", "extern const uint8_t b2nn_constants[];"]
    lines += [f"extern int {symbol}({', '.join(['void *'] * arity) or 'void'});" for symbol, arity in arities.items()]
    lines.append("")
    tables = []
    for number, level in enumerate(levels):
        lines += _steps(number, level)
        tables += _table(number, level, target=levels[0].target.name, model_id=model_id)
    lines += _tensor_table("inputs", first.inputs) + _tensor_table("outputs", first.outputs)
    lines += ["const b2nn_program b2nn_levels[] = {", *tables, "};", f"const int32_t b2nn_level_count = {len(levels)};"]
    return {
        MODEL_SOURCE: (("\n".join(lines) + "\n").encode(),),
        CONSTANTS_SOURCE: (_CONSTANTS_ASSEMBLY.encode(),),
        CONSTANTS_BLOB: first.constants.pieces or (bytes(ALIGNMENT),),
    }


def _steps(number: int, level: Level) -> list[str]:
    """The functions and the table of the steps of a level, and the table of what it requires."""
    lines = []
    for index, step in enumerate(level.program.steps):
        lines += _step_function(f"level_{number}_step_{index}", step)
    lines.append(f"static const b2nn_step level_{number}_steps[] = {{")
    lines += [
        f"    {{level_{number}_step_{index}, {quote(step.symbol)}, {quote(step.layer)}}},"
        for index, step in enumerate(level.program.steps)
    ]
    needed = "".join(f"{quote(feature)}, " for feature in level.target.requires)
    required = f"static const char *const level_{number}_requires[] = {{{needed}0}};"
    return [*lines, "    {0, 0, 0},", "};", "", required, ""]


def _table(number: int, level: Level, *, target: str, model_id: str) -> list[str]:
    return [
        "    {",
        f"        .model_id = {quote(model_id)},",
        f"        .target = {quote(target)},",
        f"        .isa = {quote(level.target.vector)},",
        f"        .requires = level_{number}_requires,",
        "        .inputs = inputs,",
        "        .outputs = outputs,",
        f"        .steps = level_{number}_steps,",
        f"        .input_count = {len(level.program.inputs)},",
        f"        .output_count = {len(level.program.outputs)},",
        f"        .step_count = {len(level.program.steps)},",
        f"        .arena_bytes = {level.program.arena_bytes}u,",
        f"        .workspace_bytes = {level.program.workspace_bytes}u,",
        "    },",
    ]


def check_program(program: Program) -> None:
    """Raise ValueError where a program contradicts itself, as ``emit_c`` describes."""
    if not program.steps:
        raise ValueError("a program needs at least one step")
    arities: dict[str, int] = {}
    limits = _limits(program)
    for index, step in enumerate(program.steps):
        where = f"step {index} ({step.symbol})"
        if not re.fullmatch(r"[A-Za-z_]\w*", step.symbol, re.ASCII):
            raise ValueError(f"{where}: {step.symbol!r} is no C name")
        if arities.setdefault(step.symbol, len(step.arguments)) != len(step.arguments):
            raise ValueError(
                f"{where}: called with {len(step.arguments)} arguments, before with {arities[step.symbol]}"
            )
        for argument in step.arguments:
            limit = limits[argument.storage]
            if not 0 <= argument.offset < limit:
                raise ValueError(f"{where}: {argument.storage} {argument.offset} is out of range, the limit is {limit}")
            if argument.storage in (Storage.ARENA, Storage.CONSTANT) and argument.offset % ALIGNMENT:
                raise ValueError(
                    f"{where}: {argument.storage} offset {argument.offset} is not a multiple of {ALIGNMENT}"
                )


def size_bytes(spec: TensorSpec) -> int:
    """The number of bytes of a dense tensor."""
    return spec.elements * np.dtype(spec.dtype).itemsize


def _limits(program: Program) -> dict[Storage, int]:
    return {
        Storage.INPUT: len(program.inputs),
        Storage.OUTPUT: len(program.outputs),
        Storage.ARENA: program.arena_bytes,
        Storage.CONSTANT: len(program.constants),
    }


def _step_function(name: str, step: Step) -> list[str]:
    return [
        f"static int {name}(void *const *inputs, void *const *outputs, uint8_t *arena) {{",
        "    (void)inputs, (void)outputs, (void)arena;",
        f"    return {step.symbol}({', '.join(map(_pointer, step.arguments))});",
        "}",
        "",
    ]


def _pointer(argument: Argument) -> str:
    return {
        Storage.INPUT: f"inputs[{argument.offset}]",
        Storage.OUTPUT: f"outputs[{argument.offset}]",
        Storage.ARENA: f"arena + {argument.offset}",
        Storage.CONSTANT: f"(void *)(uintptr_t)(b2nn_constants + {argument.offset})",
    }[argument.storage]


def _tensor_table(name: str, specs: tuple[TensorSpec, ...]) -> list[str]:
    lines = [
        f"static const int64_t {name}_{i}_shape[] = {{{', '.join(map(str, spec.shape)) or '0'}}};"
        for i, spec in enumerate(specs)
    ]
    lines.append(f"static const b2nn_tensor {name}[] = {{")
    lines += [
        f"    {{{quote(spec.name)}, {quote(spec.dtype)}, {len(spec.shape)}, {name}_{i}_shape, {size_bytes(spec)}u}},"
        for i, spec in enumerate(specs)
    ]
    return [*lines, "    {0, 0, 0, 0, 0},", "};", ""]


def quote(text: str) -> str:
    """A C string literal of ``text``: all but plain characters are octal escapes, so that nothing can end it early."""
    return '"' + "".join(chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in text.encode()) + '"'


_PLAIN = frozenset(range(32, 127)) - frozenset(b'"\\?')


_CONSTANTS_ASSEMBLY = f"""\
    .section .rodata.b2nn_constants, "a", %progbits
    .global b2nn_constants
    .hidden b2nn_constants
    .type b2nn_constants, %object
    .balign {ALIGNMENT}
b2nn_constants:
    .incbin "{CONSTANTS_BLOB}"
    .section .note.GNU-stack, "", %progbits
"""
