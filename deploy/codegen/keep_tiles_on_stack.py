"""Keep tiles on the stack, where LLVM turns them into registers.

TVM takes every allocation of a CPU kernel from its workspace, that of a tile of registers, too: a call for each turn of
the parallel loop, and pointers that hold general registers while the inner loop, short of them, reloads its own.
"""

from __future__ import annotations

from tvm import tirx

STAYS = "disable_lower_builtin"  # annotation by which TVM leaves an allocation to LLVM


def keep_tiles_on_stack(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """The lowered function whose allocations of scope "local" are the code generator's."""
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
