"""Functions that copy their input are told from those that compute."""

from __future__ import annotations

import pytest
from tvm import relax, topi

from b2nn_tvm.passes.patterns.moving_kernel import is_moving_kernel
from b2nn_tvm.relax_query import calls
from tests.support.passes.relax_functions import SHAPE


@pytest.mark.parametrize(
    ("compute", "moves"),
    [
        (lambda x: topi.nn.replicate_pad(x, [0, 0, 1, 1], [0, 0, 1, 1]), True),
        (lambda x: topi.nn.mirror_pad(x, [0, 0, 1, 1], [0, 0, 1, 1], "REFLECT"), True),
        (lambda x: topi.tile(x, (1, 2, 1, 1)), True),
        (lambda x: topi.nn.pad(x, [0, 0, 1, 1], [0, 0, 1, 1], 0.0), False),
        (topi.nn.relu, False),
        (lambda x: topi.sum(x, axis=1), False),
    ],
    ids=["replicated", "mirrored", "tiled", "padded", "relu", "sum"],
)
def test_what_moves(compute, moves):
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(SHAPE, "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(builder.emit_te(compute, x))
        builder.emit_func_output(result)
    mod = builder.get()
    ((_, call),) = calls(mod["main"])
    assert is_moving_kernel(call, mod) is moves
    assert not is_moving_kernel(x, mod)
