"""What all passes of this project have in common. To write one, in a file of its own named like the class:

    @tvm.transform.module_pass(opt_level=0, name="FoldThreshold")
    class FoldThreshold(CompilerPass):
        requires = (NHWC, SIGN_IS_BINARY)
        ensures = ()

        def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
            return rewrite_calls(module, _fold, self.recorder("scale, shift and sign are one comparison"))

and put it into pipeline.py. Under the name in the decorator TVM's instruments time and print it, ``--dump-ir`` writes
it and ``--explain`` lists what it did; so it is the name of the class. The tests check ``requires`` and ``ensures``.
"""

from __future__ import annotations

from typing import ClassVar

from b2nn_tvm.passes.framework.compile_context import CompileContext
from b2nn_tvm.passes.framework.invariant import Invariant
from b2nn_tvm.passes.framework.recorder import READERS, Recorder


class CompilerPass:
    """A pass made from the context of a compilation; ``requires`` holds of each module that it is given, ``ensures``
    of each that it returns.
    """

    requires: ClassVar[tuple[Invariant, ...]] = ()
    ensures: ClassVar[tuple[Invariant, ...]] = ()

    def __init__(self, context: CompileContext):
        self.context = context

    def recorder(self, did: str, *, of: str = READERS) -> Recorder:
        """What enters the decisions of this pass about single calls into the log; see Recorder for ``did`` and
        ``of``.
        """
        return Recorder(self.context.log, type(self).__name__, did, of=of)

    def record(self, layer: str, reason: str, *, applied: bool) -> None:
        """Enter a decision of this pass about the layer of this name into the log."""
        self.context.log.record(type(self).__name__, layer, reason, applied=applied)
