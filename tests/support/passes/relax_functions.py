"""Small Relax functions for the tests of the passes: build them, run them, compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.kernel_attrs import SIGN_MEANING
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.relax_query import dtype, op_name

SHAPE = (1, 4, 6, 5)
UNOPTIMIZED = {"kind": "llvm", "opt-level": 0}  # optimising takes many times as long as running such functions once


def const(value, kind: str = "float32") -> relax.Expr:
    return relax.const(np.asarray(value, kind), kind)


def module(body: Callable[..., relax.Expr], *shapes: Sequence[int]) -> tvm.IRModule:
    """A module whose "main" computes ``body`` of float32 inputs of these shapes (one of SHAPE by default)."""
    builder = relax.BlockBuilder()
    inputs = [relax.Var(f"x{i}", relax.TensorType(shape, "float32")) for i, shape in enumerate(shapes or (SHAPE,))]
    with builder.function("main", inputs):
        with builder.dataflow():
            result = builder.emit_output(builder.emit(body(*inputs)))
        builder.emit_func_output(result)
    return relax.transform.CanonicalizeBindings()(builder.get())


def tidy(mod: tvm.IRModule) -> tvm.IRModule:
    """The module without what no test of single rewrites is about: aliases, dead code, the remark on R.sign's
    meaning.
    """
    passes = [relax.transform.CanonicalizeBindings(), relax.transform.DeadCodeElimination()]
    plain = mod.without_attr(SIGN_MEANING) if SIGN_MEANING in (mod.attrs or {}) else mod
    return tvm.transform.Sequential(passes)(plain)


def assert_becomes(apply: Callable, before: Callable, expected: Callable, *shapes: Sequence[int]) -> None:
    """Applying a pass to the function ``before`` gives the function ``expected``."""
    tvm.ir.assert_structural_equal(tidy(apply(module(before, *shapes))), tidy(module(expected, *shapes)))


def assert_stays(apply: Callable, body: Callable, *shapes: Sequence[int]) -> None:
    assert_becomes(apply, body, body, *shapes)


def run(mod: tvm.IRModule, *inputs: np.ndarray) -> np.ndarray:
    """Run "main" on this machine with naive code; R.sign is the marker: +1 where its argument is >= 0, else -1."""
    return _result(mod, inputs).numpy()


def run_all(mod: tvm.IRModule, *inputs: np.ndarray) -> list[np.ndarray]:
    """As ``run``, of a "main" whose result is a tuple."""
    return [result.numpy() for result in _result(mod, inputs)]


def _result(mod: tvm.IRModule, inputs: Sequence[np.ndarray]):
    executable = tvm.compile(rewrite_calls(mod, _marker), target=tvm.target.Target(UNOPTIMIZED))
    machine = relax.VirtualMachine(executable, tvm.cpu())
    return machine["main"](*(tvm.runtime.tensor(x) for x in inputs))


def random_input(shape: Sequence[int] = SHAPE, seed: int = 0) -> np.ndarray:
    """Small multiples of 1/4, so that exact zeros and ties with thresholds are common and float sums are exact."""
    return (np.random.default_rng(seed).integers(-6, 7, shape) / 4).astype(np.float32)


def random_signs(shape: Sequence[int], seed: int = 0) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(shape) < 0.5, -1, 1).astype(np.float32)


def _marker(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if op_name(call) != "relax.sign":
        return None
    zero, one, minus_one = (const(v, dtype(call)) for v in (0, 1, -1))
    return relax.op.where(context.emit(relax.op.greater_equal(call.args[0], zero)), one, minus_one)
