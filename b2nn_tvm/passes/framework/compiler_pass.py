"""The base class of all passes of this project. Write a pass in a file of its own, which is named like the class:

    @tvm.transform.module_pass(opt_level=0, name="FoldThreshold")
    class FoldThreshold(CompilerPass):
        requires = (NHWC, SIGN_IS_BINARY)
        ensures = ()

        def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
            return rewrite_calls(module, _fold, self.recorder("scale, shift and sign are one comparison"))

and put it into pipeline.py. The name in the decorator is the name of the class: under this name TVM's instruments time
and print the pass, ``--dump-ir`` writes its changes and ``--explain`` lists its decisions. The tests check ``requires``
and ``ensures``.
"""

from __future__ import annotations

from typing import ClassVar

from b2nn_tvm.passes.framework.compile_context import CompileContext
from b2nn_tvm.passes.framework.invariant import Invariant
from b2nn_tvm.passes.framework.recorder import READERS, Recorder


class CompilerPass:
    """A pass made from the context of a compilation; ``requires`` holds for each module that the pass is given,
    ``ensures`` for each module that it returns.
    """

    requires: ClassVar[tuple[Invariant, ...]] = ()
    ensures: ClassVar[tuple[Invariant, ...]] = ()

    def __init__(self, context: CompileContext):
        self.context = context

    def recorder(self, did: str, *, of: str = READERS) -> Recorder:
        """A Recorder for the decisions of this pass about single calls; see there for ``did`` and ``of``."""
        return Recorder(self.context.log, type(self).__name__, did, of=of)

    def record(self, layer: str, reason: str, *, applied: bool) -> None:
        """Enter a decision of this pass about the layer of this name into the log."""
        self.context.log.record(type(self).__name__, layer, reason, applied=applied)
