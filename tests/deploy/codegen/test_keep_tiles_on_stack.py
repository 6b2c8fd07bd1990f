"""Tiles of registers ask nothing of the runtime; other temporaries come from its scratch memory."""

from dataclasses import replace

import pytest
from tvm import te
from tvm.s_tir import Schedule

from b2nn_tvm.deploy.codegen.build_kernels import build_kernel
from b2nn_tvm.deploy.codegen.keep_tiles_on_stack import keep_tiles_on_stack

N = 512


def doubled_row(scope: str):
    """A function whose parallel loop keeps a row in a temporary of this scope."""
    x = te.placeholder((N, N), name="x")
    row = te.compute((N, N), lambda i, j: x[i, j] * 2, name="row")
    schedule = Schedule(
        te.create_prim_func([x, te.compute((N, N), lambda i, j: row[i, j] + row[i, N - 1 - j], name="y")])
    )
    outer, _ = schedule.get_loops(schedule.get_sblock("y"))
    schedule.compute_at(schedule.get_sblock("row"), outer)
    schedule.set_scope(schedule.get_sblock("row"), 0, scope)
    schedule.parallel(outer)
    return schedule.mod


@pytest.mark.parametrize(("scope", "asks"), [("local", False), ("global", True)])
def test_only_temporaries_that_are_no_tiles_come_from_the_workspace(workshop, scope, asks):
    target = replace(workshop.target(), mcpu="x86-64")
    kernel = build_kernel(doubled_row(scope)["main"], target.tvm_target())
    assert (b"TVMBackendAllocWorkspace" in kernel.code) is asks
    assert (kernel.workspace_bytes > 0) is asks


def test_all_else_stays_as_it_was():
    function = doubled_row("global")["main"]
    assert keep_tiles_on_stack(function).script() == function.script()
