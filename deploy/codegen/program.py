"""The program that the compiler hands to the builder: a straight line of kernel calls over one planned arena."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from b2nn_tvm.provenance.rewrite_log import Rewrite


class Storage(StrEnum):
    """The memory in which a kernel's argument lives."""

    INPUT = "input"
    OUTPUT = "output"
    ARENA = "arena"
    CONSTANT = "constant"


@dataclass(frozen=True)
class Argument:
    """One pointer: ``offset`` is in bytes for arena and constants, and the tensor's index for inputs and outputs."""

    storage: Storage
    offset: int


@dataclass(frozen=True)
class TensorSpec:
    """A named input or output; ``dtype`` is numpy's name of its type."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Step:
    """One kernel call. ``symbol`` names ``int symbol(void*, ...)``, 0 on success; ``layer`` the row of the call.

    ``operations`` are the operations of the kernel, in order. ``outputs`` are the types of the tensors that it writes,
    "bits" for packed signs. ``constant_bytes`` counts constants that no step before reads; ``workspace_bytes`` is the
    scratch memory per thread.
    """

    symbol: str
    layer: str
    arguments: tuple[Argument, ...]
    operations: tuple[str, ...] = ()
    schedule: str = ""
    outputs: tuple[str, ...] = ()
    output_bytes: int = 0
    constant_bytes: int = 0
    workspace_bytes: int = 0


@dataclass(frozen=True)
class LayerRow:
    """One layer of the network as it was compiled.

    ``precision`` is "binary", "weight-binary", "int8", "float" or "w1a2" and the like. ``reason`` says why a
    convolution, or its input, stayed float, else it is empty. ``workload`` is a ConvWorkload key or empty.
    ``size_bytes`` counts the layer's constants in the library, ``weight_bytes`` the weights among them, which are
    packed if they are binary.
    """

    name: str
    op: str
    precision: str
    reason: str
    workload: str
    schedule: str
    size_bytes: int
    weight_bytes: int = 0


@dataclass(frozen=True)
class Constants:
    """The bytes of all constants, as ``pieces`` that stand one behind the other.

    A piece may show the memory of an array, so that large weights are not copied on their way into the library.
    """

    pieces: tuple[bytes | memoryview, ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.pieces))

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces)


@dataclass(frozen=True)
class Program:
    """A compiled network without its kernels, which are in an object file of the target.

    Arena and constants are 64-byte aligned, as are all offsets into them. Kernels with scratch memory take it from
    ``TVMBackendAllocWorkspace``; ``workspace_bytes`` bounds the scratch memory that one call holds at a time.
    ``rewrites`` record how the passes made the network.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    steps: tuple[Step, ...]
    layers: tuple[LayerRow, ...]
    arena_bytes: int
    workspace_bytes: int
    constants: Constants = Constants()
    rewrites: tuple[Rewrite, ...] = ()
