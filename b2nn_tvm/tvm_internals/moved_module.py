"""Hand a module over to the passes, so that they free on their way what they replace.

What TVM does: a pass takes its module by value and gives it up to the next one, but the variable of Python that holds
the first module keeps all of its constants alive until the last pass is done. ``_move`` of tvm_ffi's objects passes the
object itself in place of one more reference, and leaves the variable empty.

Why we need it: the weights as they were imported would be in memory beside the packed ones.

When it breaks: look in ``tvm_ffi/cython/object.pxi`` for what ``_move`` has become. Without it, memory is all that is
lost: return the module as it is.
"""

from __future__ import annotations

import tvm


def moved(module: tvm.IRModule) -> tvm.IRModule:
    """The functions of ``module``, as the argument of one call of a pass, and of nothing else: it is empty afterwards,
    and TVM crashes where it is used again. ``module`` itself stays as it is.
    """
    own = tvm.IRModule(dict(module.functions_items()), attrs=dict(module.attrs or {}))
    handed_over: tvm.IRModule = own._move()
    return handed_over
