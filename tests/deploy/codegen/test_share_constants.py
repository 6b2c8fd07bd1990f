"""Constants that the levels of a library have in common are stored once."""

from __future__ import annotations

from dataclasses import replace

from b2nn_tvm.deploy.codegen.program import Argument, Constants, LayerRow, Program, Step, Storage, TensorSpec
from b2nn_tvm.deploy.codegen.share_constants import Level, share_constants
from b2nn_tvm.targets.target import get

OUT = Argument(Storage.OUTPUT, 0)


def program(*contents: bytes) -> Program:
    """A layer for each of these constants, which stand one behind the other at multiples of 64 bytes."""
    pieces, steps, layers, at = [], [], [], 0
    for index, content in enumerate(contents):
        pieces += [bytes(-at % 64), content]
        at += -at % 64
        step = Step("kernel", f"layer {index}", (Argument(Storage.CONSTANT, at), OUT), constant_bytes=len(content))
        steps.append(step)
        layers.append(LayerRow(f"layer {index}", "conv2d", "float", "", "", "", len(content), len(content)))
        at += len(content)
    shape = (TensorSpec("y", (1,), "float32"),)
    return Program((), shape, tuple(steps), tuple(layers), 64, 0, Constants(tuple(pieces)))


def read(of: Program) -> list[bytes]:
    """The first bytes of what each step reads."""
    content = bytes(of.constants)
    return [content[step.arguments[0].offset :][:2] for step in of.steps]


def test_a_library_of_one_level_stays_as_it_is():
    alone = (Level(get("x86"), program(b"ab" * 50), [b"code"]),)
    assert share_constants(alone) == alone


def test_each_level_adds_only_the_constants_that_those_before_it_lack():
    first, second, third = (
        program(b"ab" * 50, b"cd" * 3),
        program(b"cd" * 3, b"ef" * 70),
        program(b"ef" * 70, b"ab" * 50),
    )
    names = ("x86", "x86-avx512", "x86-vpopcntdq")
    levels = [Level(get(name), each, []) for name, each in zip(names, (first, second, third), strict=True)]
    shared = [level.program for level in share_constants(levels)]
    assert len({bytes(each.constants) for each in shared}) == 1
    assert shared[0] == replace(first, constants=shared[0].constants)
    assert bytes(shared[0].constants).startswith(bytes(first.constants))
    assert [read(each) for each in shared] == [[b"ab", b"cd"], [b"cd", b"ef"], [b"ef", b"ab"]]
    assert all(step.arguments[0].offset % 64 == 0 for each in shared for step in each.steps)
    added = len(shared[0].constants) - len(first.constants)
    assert 140 <= added < 140 + 64
    assert [step.constant_bytes for step in shared[1].steps] == [0, added]
    assert [(row.size_bytes, row.weight_bytes) for row in shared[1].layers] == [(0, 0), (added, 140)]
    assert [(row.size_bytes, row.weight_bytes) for row in shared[2].layers] == [(0, 0), (0, 0)]


def test_a_constant_that_two_steps_read_is_added_once():
    twice = program(b"gh" * 5)
    twice = replace(twice, steps=twice.steps * 2)
    shared = share_constants([Level(get("arm"), program(b"ab"), []), Level(get("rpi5"), twice, [])])
    assert [step.constant_bytes > 0 for step in shared[1].program.steps] == [True, False]
    assert read(shared[1].program) == [b"gh", b"gh"]
