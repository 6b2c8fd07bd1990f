"""Operators on channels-last tensors: the standard operator between two transposes.

    Conv(x[N, H, W, C], w[O, kh, kw, C])  ->  Transpose(Conv(Transpose(x), Transpose(w)))

Conv, MaxPool and BatchNormalization of qonnx.custom_op.channels_last, and MaxPoolNHWC of QONNX and FINN.
"""

from __future__ import annotations

from collections.abc import Callable

from onnx import helper

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.reference.quantizers.node_builder import NodeBuilder


def channels_last(op: str) -> Callable[[NodeBuilder], None]:
    """The definition of a channels-last operator by the standard one called ``op``.

    It raises UnsupportedError where neither the kernel nor the input says how many axes there are.
    """

    def define(build: NodeBuilder) -> None:
        attributes = {a.name: helper.get_attribute_value(a) for a in build.node.attribute}
        kernel = attributes.get("kernel_shape")
        rank = build.rank() if kernel is None else len(kernel) + 2
        if rank is None:
            raise UnsupportedError("the shape of its input is not known; run shape inference on the file first")
        first, last = [0, rank - 1, *range(1, rank - 1)], [0, *range(2, rank), 1]
        inputs = list(build.node.input)
        for position in range(2 if op == "Conv" else 1):
            inputs[position] = build.put("Transpose", [inputs[position]], perm=first)
        y = build.put(op, inputs, f"{build.node.output[0]}/channels_first", **attributes)
        build.nodes[-1].name = build.node.name
        build.put("Transpose", [y], build.node.output[0], perm=last)

    return define
