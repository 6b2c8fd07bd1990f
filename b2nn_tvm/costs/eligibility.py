"""Which layers of a network may become binary, and why the others may not: one rule for torch and for ONNX.

Both halves turn their graph into Operations, and ask here. What keeps a layer from becoming binary need not keep it
from other precisions: OPEN says which ones it leaves open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import or_
from types import MappingProxyType


class Role(StrEnum):
    """What an operation is to the rule."""

    CONVOLUTION = "2-D convolution"
    LINEAR = "linear layer"
    WEIGHTED = "another operation that multiplies by weights"
    ADDITION = "addition"
    ACTIVATION = "elementwise activation"
    BATCH_NORM = "batch norm"
    OTHER = "anything else"


# With fewer channels in a group, most bits of its words are unused, and there is one filter or few to share them: float
# kernels are faster.
FEWEST_GROUP_CHANNELS = 16
NARROW_GROUPS = f"grouped convolution with fewer than {FEWEST_GROUP_CHANNELS} channels in a group"
ONE_CHANNEL = "one input channel: a popcount adds channels"
LINEAR = "linear layer: only convolutions become binary"

# What the reasons mean, for reports. The networks of the literature keep the same layers float, for the same causes.
BECAUSE = {
    "first convolution": "it reads the image, and the signs of pixels say next to nothing",
    "classifier": "its sums are the scores of the classes",
    "strided 1x1 convolution: the projection of a shortcut": "it carries the values past the block and costs little",
    "1x1 projection of a shortcut": "it carries the values past the block and costs little",
    "depthwise convolution": "it has few products to save, and a popcount would have one channel to add",
    NARROW_GROUPS: "a popcount adds the channels of a group, and so few of them are added faster as floats",
}

# The precisions other than float that a reason leaves open. What is no reason against binary layers is none against any
# precision; reasons that are not listed, such as borders that are no constants, leave none open.
#   int8           256 values carry an image, the sums of a class or a shortcut, and need no channels to pack
#   W1A2, W2A2     four values do not, and bitserial kernels are those of binary layers, which pack channels
OPEN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "first convolution": frozenset({"int8"}),
        "classifier": frozenset({"int8"}),
        "strided 1x1 convolution: the projection of a shortcut": frozenset({"int8"}),
        "1x1 projection of a shortcut": frozenset({"int8"}),
        "depthwise convolution": frozenset({"int8"}),
        NARROW_GROUPS: frozenset({"int8"}),
        ONE_CHANNEL: frozenset({"int8"}),
        LINEAR: frozenset({"int8", "w1a2", "w2a2"}),
    }
)

WITH_WEIGHTS = (Role.CONVOLUTION, Role.LINEAR, Role.WEIGHTED)


@dataclass(frozen=True)
class Operation:
    """One operation of a graph: ``name`` is unique, ``inputs`` are the names of the operations that it reads.

    ``kernel`` and ``stride`` (height, width) are those of a convolution. ``obstacle`` is a reason of its own why a
    layer cannot be binary, such as its groups.
    """

    name: str
    inputs: tuple[str, ...] = ()
    role: Role = Role.OTHER
    kernel: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)
    obstacle: str = ""


def group_obstacle(groups: int, in_channels: int) -> str:
    """The obstacle of a convolution in groups of too few channels; empty for one group and for wide groups.

    A wide group is a binary convolution of its own. The MixBin paper leaves all grouped convolutions float; ResNeXt,
    RegNet and ShuffleNet hold most of their products in them.
    """
    if groups == 1:
        return ""
    if groups == in_channels:
        return "depthwise convolution"
    return "" if in_channels // groups >= FEWEST_GROUP_CHANNELS else NARROW_GROUPS


def ineligible(operations: Sequence[Operation]) -> dict[str, str]:
    """The reason why a convolution or linear layer stays float, by name, for each that does.

    ``operations`` come in an order in which each stands behind those that it reads. As in the MixBin paper, these
    layers stay float: the first convolution, 1x1 projections of shortcuts, depthwise convolutions, and the classifier.
    So do convolutions in groups of few channels (``group_obstacle``).
    """
    graph = _Graph(operations)
    reasons = {each.name: graph.reason(each) for each in operations if each.role in (Role.CONVOLUTION, Role.LINEAR)}
    return {name: reason for name, reason in reasons.items() if reason}


def reason_against(reason: str, precision: str) -> str:
    """The ``reason`` against a layer's being binary where it is one against this ``precision``, too; else empty."""
    return "" if precision == "float" or precision in OPEN.get(reason, ()) else reason


def last_operations(operations: Sequence[Operation]) -> frozenset[str]:
    """The operations with weights from which no other one reads, directly or not: they make the network's output."""
    return _Graph(operations).last


class _Graph:
    """The operations with sets of them as the bits of a number, the first operation being bit 0.

    Networks of thousands of operations have millions of pairs in which one reads the other.
    """

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = operations
        self._bits = {each.name: 1 << index for index, each in enumerate(operations)}
        self._ancestors: dict[str, int] = {}
        for each in operations:
            self._ancestors[each.name] = self._union(self._branch(source) for source in each.inputs)
        self._weighted = self._union(self._bits[each.name] for each in operations if each.role in WITH_WEIGHTS)
        self._pointwise = self._union(self._bits[each.name] for each in operations if each.kernel == (1, 1))
        self._active = self._union(self._bits[each.name] for each in operations if each.role == Role.ACTIVATION)
        layers = [each.name for each in operations if each.role in WITH_WEIGHTS]
        read = self._union(self._ancestors[layer] for layer in layers)
        self.last = frozenset(layer for layer in layers if not self._bits[layer] & read)

    def reason(self, layer: Operation) -> str:
        last = layer.name in self.last
        if layer.role == Role.LINEAR:
            return layer.obstacle or ("classifier" if last else LINEAR)
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
        Neither are 1x1 convolutions side by side that become one layer when they are merged (MobileOne).
        """
        bit = self._bits[name]
        for add in self._operations:
            if add.role != Role.ADDITION or len(add.inputs) != 2 or not self._ancestors[add.name] & bit:
                continue
            left, right = map(self._branch, add.inputs)
            mine, other = (left & ~right, right & ~left) if left & bit else (right & ~left, left & ~right)
            if not mine & bit or (mine & self._weighted).bit_count() != 1 or not other & self._weighted:
                continue
            if self._has_layers_in_a_row(other) or other & self._weighted & ~self._pointwise:
                return True
            # Lone 1x1 convolutions: the one with an activation in its branch is the main path.
            if other & self._active and not mine & self._active:
                return True
        return False

    def _has_layers_in_a_row(self, branch: int) -> bool:
        layers = branch & self._weighted
        return any(self._ancestors[name] & layers for name, bit in self._bits.items() if bit & layers)

    def _branch(self, name: str) -> int:
        """The operation and all that it reads, directly or not."""
        return self._ancestors[name] | self._bits[name]

    @staticmethod
    def _union(parts: Iterable[int]) -> int:
        return reduce(or_, parts, 0)
