"""Which layers of a network may become binary, and why the others may not: one rule for torch and for ONNX.

Both halves turn their graph into Operations, and ask here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an operation is to the rule."""

    CONVOLUTION = "2-D convolution"
    LINEAR = "linear layer"
    WEIGHTED = "another operation that multiplies by weights"
    ADDITION = "addition"
    ACTIVATION = "elementwise activation"
    BATCH_NORM = "batch norm"
    OTHER = "anything else"


WITH_WEIGHTS = (Role.CONVOLUTION, Role.LINEAR, Role.WEIGHTED)


@dataclass(frozen=True)
class Operation:
    """One operation of a graph: ``name`` is unique, ``inputs`` are the names of the operations that it reads.

    ``kernel`` and ``stride`` (height, width) are those of a convolution. ``obstacle`` is a reason of its own why a
    convolution cannot be binary, such as its groups.
    """

    name: str
    inputs: tuple[str, ...] = ()
    role: Role = Role.OTHER
    kernel: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)
    obstacle: str = ""


def group_obstacle(groups: int, in_channels: int) -> str:
    """The obstacle of a convolution in groups, for which there are no binary kernels; empty for one group."""
    if groups == 1:
        return ""
    return "depthwise convolution" if groups == in_channels else "grouped convolution"


def ineligible(operations: Sequence[Operation]) -> dict[str, str]:
    """The reason why a convolution or linear layer stays float, by name, for each that does.

    ``operations`` come in an order in which each stands behind those that it reads. As in the MixBin paper, these
    layers stay float: the first convolution, 1x1 projections of shortcuts, depthwise and other grouped convolutions,
    and the classifier.
    """
    graph = _Graph(operations)
    reasons = {each.name: graph.reason(each) for each in operations if each.role in (Role.CONVOLUTION, Role.LINEAR)}
    return {name: reason for name, reason in reasons.items() if reason}


def last_operations(operations: Sequence[Operation]) -> frozenset[str]:
    """The operations with weights from which no other one reads, directly or not: they make the network's output."""
    return _Graph(operations).last


class _Graph:
    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = operations
        self._by_name = {each.name: each for each in operations}
        self._ancestors = _ancestors(operations)
        self._weighted = frozenset(each.name for each in operations if each.role in WITH_WEIGHTS)
        read = {name for layer in self._weighted for name in self._ancestors[layer] & self._weighted}
        self.last = self._weighted - read

    def reason(self, layer: Operation) -> str:
        last = layer.name in self.last
        if layer.role == Role.LINEAR:
            return "classifier" if last else "linear layer: only convolutions become binary"
        if layer.obstacle:
            return layer.obstacle
        if not self._ancestors[layer.name] & self._weighted:
            return "first convolution"
        if last and not self._is_normalized(layer.name):
            return "classifier"
        if layer.kernel == (1, 1) and max(layer.stride) > 1:
            return "strided 1x1 convolution: the projection of a shortcut"
        if layer.kernel == (1, 1) and self._in_shortcut(layer.name):
            return "1x1 projection of a shortcut"
        return ""

    def _is_normalized(self, name: str) -> bool:
        """Whether batch norm reads this layer: then a last convolution makes a backbone's features, not scores."""
        return any(each.role == Role.BATCH_NORM and name in each.inputs for each in self._operations)

    def _in_shortcut(self, name: str) -> bool:
        """Whether this 1x1 convolution is the only layer in the shorter one of two branches that an addition joins.

        The pointwise convolutions of MobileNets are in no shortcut, since the shortcuts of MobileNets hold no layer.
        """
        for add in self._operations:
            if add.role != Role.ADDITION or len(add.inputs) != 2 or name not in self._ancestors[add.name]:
                continue
            left, right = ({source, *self._ancestors[source]} for source in add.inputs)
            mine, other = (left - right, right - left) if name in left else (right - left, left - right)
            if name not in mine or len(mine & self._weighted) != 1 or not other & self._weighted:
                continue
            pointwise = any(self._by_name[each].kernel == (1, 1) for each in other & self._weighted)
            if len(other & self._weighted) > 1 or not pointwise:
                return True
            # Two lone 1x1 convolutions: the one with an activation in its branch is the main path.
            if not any(self._by_name[each].role == Role.ACTIVATION for each in mine):
                return True
        return False


def _ancestors(operations: Sequence[Operation]) -> Mapping[str, frozenset[str]]:
    """The operations that each one reads, directly or not."""
    found: dict[str, frozenset[str]] = {}
    for each in operations:
        found[each.name] = frozenset(each.inputs).union(*(found[source] for source in each.inputs))
    return found
