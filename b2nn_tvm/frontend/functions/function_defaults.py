"""Calls of functions get the attributes that they leave out, where the function has defaults for them:

    F <slope = 0.3> (x) => (y) {...},  y = F (x)   ->  y = F <slope = 0.3> (x)

onnx's inliner knows no defaults: it leaves the attribute out in the body, too.
"""

from __future__ import annotations

import onnx

from b2nn_tvm.frontend.checks.walk_model import all_nodes


def write_defaults(model: onnx.ModelProto) -> None:
    """Write the defaults into the calls of the model's functions, in place."""
    functions = {(each.domain, each.name, each.overload): each for each in model.functions if each.attribute_proto}
    for node in all_nodes(model) if functions else ():
        function = functions.get((node.domain, node.op_type, node.overload))
        given = {attribute.name for attribute in node.attribute}
        for default in function.attribute_proto if function is not None else ():
            if default.name not in given:
                node.attribute.append(default)
