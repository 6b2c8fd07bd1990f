"""The layer of each kernel: names are lost in Relax, but each layer's packed weights are a constant of its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.provenance.conv_class import ConvClass
from b2nn_tvm.provenance.layer_names import LayerNamer
from b2nn_tvm.provenance.once_per_array import OncePerArray


@dataclass(frozen=True)
class KernelLayer:
    """A layer as it was lowered: ``precision`` is "binary", "weight-binary", "int8", "float", or the bits of its
    weights and activations such as "w1a2"; ``workload`` is the key, ``weight_bytes`` are the bytes of its weights in
    the library.
    """

    name: str
    op: str
    precision: str
    workload: str
    weight_bytes: int = 0


def is_in_bits(precision: str) -> bool:
    """Whether layers of this precision are computed as popcounts of packed bits."""
    return precision == "binary" or re.fullmatch(r"w\da\d", precision) is not None


class KernelLayerIndex:
    """Gives each lowered layer its name, and finds the layer again by its packed weights; layers with equal weights
    come in network order.
    """

    def __init__(self, namer: LayerNamer):
        self.convs: tuple[ConvClass, ...] = ()
        self.reasons: dict[str, str] = {}  # why a dense layer stays float, by name
        self.namer = namer
        self._digest = OncePerArray(_digest)
        self._by_constant: dict[str, list[KernelLayer]] = {}
        self._bits: dict[str, np.ndarray] = {}

    def classify(self, convs: Iterable[ConvClass]) -> None:
        """Note the class of each convolution: of layers with equal weights, the binary layers get binary kernels."""
        self.convs = tuple(convs)

    def add(
        self,
        packed: np.ndarray,
        weight: np.ndarray,
        *,
        op: str,
        precision: str,
        workload: str,
        bits: np.ndarray | None = None,
        name: str = "",
    ) -> str:
        """Note that the constant ``packed`` belongs to the layer with these weights ([O, ...], as imported), and return
        the layer's name.

        ``bits`` is the constant that the library will hold in place of ``packed``. ``name`` is given where another
        constant of the same layer was noted before.
        """
        binary = {conv.name for conv in self.convs if conv.binary}
        name = name or self.namer.name(weight, prefer=lambda name: (name in binary) == (precision == "binary"))
        op = self.namer.kinds.get(name, op)  # a binary dense layer is computed as a convolution
        layer = KernelLayer(name, op, precision, workload, (packed if bits is None else bits).nbytes)
        digest = self._digest(packed)
        self._by_constant.setdefault(digest, []).append(layer)
        if bits is not None:
            self._bits[digest] = bits
        return name

    def replace_with_bits(self, packed: np.ndarray) -> np.ndarray | None:
        """The bits to hold in place of the constant ``packed``, by which its next layer is found from now on; None
        where there are none.
        """
        digest = self._digest(packed)
        bits = self._bits.get(digest)
        if bits is not None:
            layer = self._by_constant[digest].pop(0)
            self._by_constant.setdefault(self._digest(bits), []).append(layer)
        return bits

    def name_of(self, constants: Iterable[np.ndarray]) -> str:
        """The name of the layer that ``find`` would give for these constants, without taking it out; empty where there
        is none.
        """
        found = (layers[0].name for value in constants if (layers := self._by_constant.get(self._digest(value))))
        return next(found, "")

    def keep_only(self, constants: Iterable[np.ndarray]) -> None:
        """Free the memory of all constants but these, of which no layer will be asked for any more."""
        self._digest.keep_only(constants)

    def find(self, constants: Sequence[np.ndarray]) -> KernelLayer | None:
        """The next layer that owns one of these constants, which is taken out; None where there is none."""
        for value in constants:
            layers = self._by_constant.get(self._digest(value))
            if layers:
                return layers.pop(0)
        return None


def _digest(value: np.ndarray) -> str:
    digest = hashlib.sha1(f"{value.dtype}{value.shape}".encode())
    digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
