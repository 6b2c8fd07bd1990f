"""The C source of a program: names of any kind, and programs that contradict themselves."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from b2nn_tvm.deploy.codegen.emit_c import emit_c
from b2nn_tvm.deploy.codegen.program import Program
from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.build_library import build_library
from tests.support.deploy.handmade import expected, program


def test_names_may_hold_any_character(workshop, x):
    odd = 'conv "1"\\n??/ é\n100%'
    base = program("shift_one")
    named = replace(
        base, inputs=(replace(base.inputs[0], name=odd),), steps=tuple(replace(s, layer=odd) for s in base.steps)
    )
    folder = workshop.folder / "odd names"
    build_library(named, [workshop.kernels()], workshop.target(), folder)
    with load(folder) as artifact:
        np.testing.assert_array_equal(artifact.run({odd: x})["output"], expected(x))


def bad_programs() -> dict[str, tuple[str, Program]]:
    good = program("shift_one")
    step = good.steps[1]
    argument = step.arguments[0]
    with_step = lambda new: replace(good, steps=(good.steps[0], new, good.steps[2]))
    with_argument = lambda **change: with_step(
        replace(step, arguments=(replace(argument, **change), step.arguments[1]))
    )
    return {
        "no steps": ("at least one step", replace(good, steps=())),
        "symbol": ("'a b' is no C name", with_step(replace(step, symbol="a b"))),
        "range": ("arena 8064 is out of range, the limit is 8064", with_argument(offset=8064)),
        "negative": ("arena -64 is out of range", with_argument(offset=-64)),
        "alignment": ("arena offset 4000 is not a multiple of 64", with_argument(offset=4000)),
        "count": (
            "called with 1 arguments, before with 2",
            replace(good, steps=(*good.steps, replace(step, arguments=step.arguments[:1]))),
        ),
    }


@pytest.mark.parametrize("case", bad_programs())
def test_a_program_that_contradicts_itself_is_refused(workshop, case):
    message, bad = bad_programs()[case]
    with pytest.raises(ValueError, match=re.escape(message)):
        build_library(bad, [workshop.kernels()], workshop.target(), workshop.folder / "no")


def test_levels_have_the_same_inputs_and_outputs(workshop):
    base = program("shift_one")
    other = replace(base, inputs=(replace(base.inputs[0], name="image"),))
    levels = [Level(workshop.target(), each, []) for each in (base, other)]
    with pytest.raises(ValueError, match="the level avx2 has other inputs or outputs than the first one"):
        emit_c(levels, model_id="")
