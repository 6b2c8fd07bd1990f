"""Keep tiles on the stack, where LLVM turns them into registers.

TVM takes every allocation of a CPU kernel from its workspace, even that of a tile of registers. This costs a call in
each turn of the parallel loop. It also keeps pointers in general registers, so that the inner loop runs short of
registers and reloads its own pointers.
"""

from __future__ import annotations

from tvm import tirx

STAYS = "disable_lower_builtin"  # the annotation by which TVM leaves an allocation to LLVM


def keep_tiles_on_stack(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """The lowered ``function``, in which allocations of the scope "local" are left to LLVM."""
    return function.with_body(_visit(function.body))


def _visit(statement: tirx.Stmt) -> tirx.Stmt:
    match statement:
        case tirx.SeqStmt():
            return tirx.SeqStmt([_visit(each) for each in statement.seq])
        case tirx.For():
            return tirx.For(
                statement.loop_var,
                statement.min,
                statement.extent,
                statement.kind,
                _visit(statement.body),
                statement.thread_binding,
                statement.annotations,
                statement.step,
            )
        case tirx.IfThenElse():
            otherwise = statement.else_case
            return tirx.IfThenElse(
                statement.condition, _visit(statement.then_case), None if otherwise is None else _visit(otherwise)
            )
        case tirx.AttrStmt():
            return tirx.AttrStmt(statement.node, statement.attr_key, statement.value, _visit(statement.body))
        case tirx.AllocBuffer() if statement.buffer.ty.storage_scope == "local":
            return tirx.AllocBuffer(statement.buffer, {**statement.annotations, STAYS: tirx.const(True)})
        case _:
            return statement
