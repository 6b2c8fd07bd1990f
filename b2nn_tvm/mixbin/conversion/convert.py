"""Chosen layers of a network become binary or quantized, and activations in front of binary ones keep the sign.

    relu -> conv                    becomes   binrelu -> binary conv
    x -> act -> conv -> + x         becomes   x -> binary conv -> + x          (the sign is in the convolution)
    relu -> {conv, something else}  becomes   x -> {binrelu -> binary conv, relu -> something else}

The state dict keeps its names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from torch import fx, nn

from b2nn_tvm.costs.eligibility import reason_against
from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.conversion.rewire import feed_binary, undo_in_place
from b2nn_tvm.mixbin.modules import activations, binarizers
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.modules.binary_conv1d import BinaryConv1d
from b2nn_tvm.mixbin.modules.quantized_layer import QuantizedLayer, quantized
from b2nn_tvm.mixbin.network.activation_nodes import activations_before, drops_sign, is_activation, is_passing
from b2nn_tvm.mixbin.network.capture import capture, remember_shape, remembered_shape
from b2nn_tvm.mixbin.network.fx_nodes import input_of, target_name
from b2nn_tvm.mixbin.network.hooks import copy_hooks
from b2nn_tvm.mixbin.network.in_place import remove_unused
from b2nn_tvm.mixbin.network.layers import (
    Convolution,
    ineligible,
    layer_nodes,
    layer_of,
    own_form,
    unquantizable,
    unsupported,
)
from b2nn_tvm.mixbin.tracing.own_convolutions import OwnConvolution
from b2nn_tvm.mixbin.tracing.prepare import prepared
from b2nn_tvm.plan import QUANTIZED, Plan, Precision


def convert(
    model: nn.Module,
    choice: Plan | Iterable[str],
    *,
    activation: str = "binrelu",
    pad_value: int = 0,
    learned_threshold: bool = False,
    binarizer: str = "xnor",
    input_shape: Sequence[int] | None = None,
) -> nn.Module:
    """A copy of ``model`` in which the chosen convolutions are BinaryConv2d or BinaryConv1d, under the same names.

    ``choice`` is a plan or the names of the layers to make fully binary; layers that are binary already stay so. Layers
    that the plan makes int8, W1A2 or W2A2 become QuantizedLayer, whose inputs stay float until a calibration; nothing
    in front of them changes.
    ``binarizer`` is the binary form of the weights (see binarizers), also in layers whose weights alone become binary.
    A state dict of ``model`` loads into the copy as long as neither thresholds nor activations with parameters were
    added.

    Activations. Where the activation in front of a binary convolution drops the sign (ReLU and its kin) it becomes
    ``activation``. Where the activation's input also feeds a shortcut (the pre-activation layout) the activation is
    left out, because the sign inside the convolution takes its place. Sign-preserving activations elsewhere stay. An
    activation that other layers read as well, or that is a function or a module called in several places, is not
    changed for its other readers: they were trained on it, and the harm of one binary layer should be its own. The
    binary convolution then gets its own activation ``<name>_activation`` on the unactivated value; ReLUs in front of a
    max pooling move behind it, which is exact. In this case, and only then, the copy is a torch.fx.GraphModule, in
    which what a forward of your own does only in training is left out.

    ``input_shape``, [C, H, W] or [N, C, H, W], is that of the images, or [C, W] that of signals; None is the one that
    ``trace`` was last called with for this model. Wrappers and parametrizations of ``model`` are not in the copy
    (see ``prepared``).

    Raises InputError for unknown or ineligible names, unknown activations and binarizers, UnsupportedError for
    untraceable models.
    """
    binarizers.check(binarizer)
    activations.check(activation)
    precisions = _precisions(choice)
    result = prepared(model)
    if known := remembered_shape(model):  # a wrapper that is not in the copy may have it
        remember_shape(result, known)
    graph_module = capture(result, input_shape)
    nodes = layer_nodes(graph_module)
    _check(precisions, nodes, graph_module)
    to_do = [
        (name, precision)
        for name, precision in precisions.items()
        if precision != Precision.FLOAT and isinstance(layer_of(nodes[name], graph_module), Convolution | nn.Linear)
    ]
    chosen = {nodes[name] for name, precision in to_do if precision == Precision.BINARY}
    result = _keep_signs(result, graph_module, chosen, activation)
    for name, precision in to_do:
        if precision in QUANTIZED:
            _replace(result, name, _quantized(result.get_submodule(name), precision, own_form(nodes[name])))
            continue
        conv, form = _float_convolution(result, name), own_form(nodes[name])
        make = partial((BinaryConv1d if isinstance(conv, nn.Conv1d) else BinaryConv2d).from_conv, conv)
        if form is not None:
            make = partial(BinaryConv2d.from_conv, form.plain(conv), padding=form.padding)
        if precision == Precision.WEIGHT_BINARY:
            binary = make(input_binary=False, binarizer=binarizer)
        else:
            binary = make(pad_value=pad_value, learned_threshold=learned_threshold, binarizer=binarizer)
        _replace(result, name, binary)
    return result


def _precisions(choice: Plan | Iterable[str]) -> dict[str, Precision]:
    if isinstance(choice, Plan):
        return {name: Precision(precision) for name, precision in choice.layers.items()}
    return dict.fromkeys([choice] if isinstance(choice, str) else choice, Precision.BINARY)


def _check(precisions: dict[str, Precision], nodes: dict[str, fx.Node], graph_module: fx.GraphModule) -> None:
    reasons = ineligible(graph_module)
    eligible = ", ".join(name for name in nodes if name not in reasons) or "none"
    unknown = [name for name in precisions if name not in nodes]
    if unknown:
        raise InputError(f"the network has no layer {', '.join(unknown)}; its eligible layers are {eligible}")
    for name, precision in precisions.items():
        module = layer_of(nodes[name], graph_module)
        if isinstance(module, BinaryConv2d | QuantizedLayer):
            now = _precision_of(module)
            if precision != now:
                raise InputError(
                    f"layer {name} is {now} already and cannot become {precision}; convert the float network"
                )
        elif precision == Precision.BINARY and name in reasons:
            raise InputError(f"layer {name} cannot be binary ({reasons[name]}); the eligible layers are {eligible}")
        elif precision in QUANTIZED:
            reason = reason_against(reasons.get(name, ""), precision)
            if not reason and isinstance(module, Convolution):
                reason = unquantizable(nodes[name], module)
            if reason:
                raise InputError(f"layer {name} cannot be {precision} ({reason})")
        elif precision != Precision.WEIGHT_BINARY:
            continue
        elif isinstance(module, nn.Linear):
            raise InputError(f"layer {name} is a linear layer; only convolutions can have binary weights")
        elif reason := unsupported(nodes[name], module):
            raise InputError(f"layer {name} cannot have binary weights: {reason}")


def _precision_of(module: BinaryConv2d | QuantizedLayer) -> Precision:
    if isinstance(module, QuantizedLayer):
        return module.precision
    return Precision.BINARY if module.input_binary else Precision.WEIGHT_BINARY


def _quantized(module: nn.Module, precision: Precision, form: OwnConvolution | None) -> QuantizedLayer:
    """The quantized form of a layer that ``_check`` has allowed."""
    if form is not None and isinstance(module, nn.Conv2d):
        return quantized(form.plain(module), precision, padding=form.padding)
    if not isinstance(module, Convolution | nn.Linear):
        raise TypeError(f"expected a float layer, but it is {module}")
    return quantized(module, precision)


def _keep_signs(
    result: nn.Module, graph_module: fx.GraphModule, chosen: set[fx.Node], activation: str
) -> nn.Module | fx.GraphModule:
    """``result`` or, where its graph had to change, ``graph_module``, with new activations in front of ``chosen``."""
    rewired = undo_in_place(graph_module) if chosen else False
    # All is decided before anything changes: new readers of a value must not look like shortcuts.
    swaps: dict[str, nn.Module] = {}
    feeds: list[tuple[list[fx.Node], nn.Module]] = []
    for readers in _readers(chosen, graph_module):
        sources = activations_before(readers[0], graph_module)
        conv = _float_convolution(graph_module, target_name(readers[0]))
        if sources and all(_feeds_shortcut(source, graph_module) for source in sources):
            replacement: nn.Module = activations.SignFollows()
        elif any(drops_sign(source, graph_module) for source in sources):
            replacement = activations.make(activation, channels=conv.in_channels, axes=len(conv.kernel_size)).to(
                conv.weight.device
            )
        else:
            continue
        if len(sources) == 1 and _is_private(sources[0], chosen, graph_module):
            swaps[target_name(sources[0])] = replacement
        else:
            feeds.append((readers, replacement.train(conv.training)))
    for readers, replacement in feeds:
        feed_binary(graph_module, readers, activations_before(readers[0], graph_module), replacement)
        rewired = True
    if rewired:
        if not graph_module.meta.get("any_batch", True):
            raise UnsupportedError(
                f"the forward of {type(result).__name__} does other operations for other batch sizes, so it cannot be"
                f" rewired for {', '.join(map(target_name, chosen))}; write it in operators on whole batches"
            )
        remove_unused(graph_module.graph, graph_module)
        graph_module.graph.lint()
        graph_module.recompile()
        result = graph_module
    for name, replacement in swaps.items():
        _replace(result, name, replacement.train(result.get_submodule(name).training))
    return result


def _float_convolution(model: nn.Module, name: str) -> Convolution:
    """The layer ``name`` that is to become binary, which ``_check`` has allowed."""
    module = model.get_submodule(name)
    if not isinstance(module, Convolution):
        raise TypeError(f"expected {name} to be a float convolution, but it is {module}")
    return module


def _readers(chosen: set[fx.Node], graph_module: fx.GraphModule) -> list[list[fx.Node]]:
    """The chosen convolutions in graph order, grouped by the value that they read."""
    groups: dict[fx.Node, list[fx.Node]] = {}
    for node in graph_module.graph.nodes:
        if node in chosen:
            groups.setdefault(input_of(node), []).append(node)
    return list(groups.values())


def _feeds_shortcut(source: fx.Node, graph_module: fx.GraphModule) -> bool:
    """Whether a node other than an activation also reads the input of the activation ``source``."""
    return any(not is_activation(user, graph_module) for user in input_of(source).users)


def _is_private(source: fx.Node, chosen: set[fx.Node], graph_module: fx.GraphModule) -> bool:
    """Whether the activation ``source`` is a module that is called once and feeds chosen convolutions alone."""
    calls = sum(node.op == "call_module" and node.target == source.target for node in graph_module.graph.nodes)
    if source.op != "call_module" or calls != 1:
        return False
    pending = list(source.users)
    while pending:
        user = pending.pop()
        if user not in chosen and not is_passing(user, graph_module):
            return False
        pending.extend(() if user in chosen else user.users)
    return True


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put ``module`` in the place of the module ``name``, under each name by which the latter is registered."""
    old = model.get_submodule(name)
    copy_hooks(old, module)
    for other, candidate in list(model.named_modules(remove_duplicate=False)):
        if candidate is old:
            model.set_submodule(other, module)
