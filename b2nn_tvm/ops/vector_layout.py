"""The data layout of a vector unit: the numbers of an instruction set that the lowering passes need."""

from __future__ import annotations

from dataclasses import dataclass

from b2nn_tvm.ops.bit_layout import word_bits

LEAST_LOAD = 16  # bytes of codes of a pixel that a micro-kernel for depthwise layers loads


@dataclass(frozen=True)
class CodeLayout:
    """How 8-bit codes lie in memory: as whole numbers of the type ``dtype``, and ``run`` is the number of neighbouring
    channels whose products one instruction adds up, 1 where there is no such instruction.

    - uint8, 4: four codes by four signed weights (VNNI ``vpdpbusd``)
    - int16, 2: two codes by two weights, widened to 16 bits each, so that no sum saturates (``vpmaddwd``)
    - int8, 4: four signed codes by four weights (NEON ``sdot``; ``smull`` and ``sadalp``)
    - int16, 1: a code by a weight

    ``taps`` is the number of taps of a column of a depthwise filter that a micro-kernel brings side by side, so that
    the same instruction adds up their products; 1 where there is no such micro-kernel. ``depthwise`` is the number of
    channels of a depthwise layer that a micro-kernel takes side by side, tap by tap, with weights of 8 bits; 0 where
    there is none. ``winograd`` is the cost of Winograd's transforms of a pixel (passes/lower/choose_winograd.py); 0
    where no micro-kernel computes that form.
    """

    dtype: str = "int16"
    run: int = 1
    taps: int = 1
    depthwise: int = 0
    winograd: int = 0

    @property
    def size(self) -> int:
        """The bytes of a code in memory."""
        return 2 if self.dtype == "int16" else 1

    @property
    def first(self) -> int:
        """The number that stands for the least code."""
        return -128 if self.dtype == "int8" else 0

    @property
    def weights(self) -> str:
        """The type of the weights."""
        return "int16" if self.dtype == "int16" else "int8"


@dataclass(frozen=True)
class VectorLayout:
    """``float_lanes``: float32 lanes of a register; ``word``: the element type of packed bits ("uint32" or "uint8", see
    ops/bconv2d.py); ``max_binary_lanes``: filters per vector of words; ``lookup``: whether bytes are counted by table
    look-up (ops/bconv2d_lookup.py); ``binary_register``: filters per register where a vector of words may span several
    registers, else 0; ``codes``: the layout of 8-bit layers.
    """

    float_lanes: int
    word: str
    max_binary_lanes: int
    lookup: bool = False
    binary_register: int = 0
    codes: CodeLayout = CodeLayout()

    def binary_lanes(self, outputs: int) -> int:
        """Filters per vector for a layer of this many outputs: no wider than the layer needs, at least 16."""
        lanes = self.max_binary_lanes
        if self.binary_register:
            return self._registers(-(-outputs // self.binary_register)) * self.binary_register
        while lanes > 16 and lanes >= 2 * outputs:
            lanes //= 2
        return lanes

    def _registers(self, needed: int) -> int:
        """The registers per vector that make the fewest operations: three per register, absent filters included, and
        one broadcast per vector.
        """
        most = self.max_binary_lanes // self.binary_register
        return min(range(most, 0, -1), key=lambda count: -(-needed // count) * (3 * count + 1))

    def conv_lanes(self, outputs: int) -> int:
        """Output channels per vector of a float layer: half vectors where a whole one would be half empty."""
        lanes = self.float_lanes
        while lanes > 4 and outputs % lanes and 0 < outputs % lanes <= lanes // 2 and outputs < 4 * lanes:
            lanes //= 2
        return lanes

    def group_lanes(self, channels: int) -> int:
        """The widest vector that divides the channels of a group."""
        return next(
            lanes for lanes in (self.float_lanes, 8, 4, 2, 1) if lanes <= self.float_lanes and channels % lanes == 0
        )

    def depthwise_lanes(self, channels: int) -> int:
        """Channels per vector of a depthwise layer of codes: whole vectors, with absent channels behind the last, where
        a micro-kernel sums it.
        """
        if self.codes.depthwise and channels % self.codes.depthwise == 0:
            return self.codes.depthwise
        return self.group_lanes(channels) if self.codes.taps == 1 else self.float_lanes

    def depthwise_weights(self, channels: int) -> str:
        """The type of the weights of a depthwise layer of codes: 16 bits where loops sum it."""
        loops = self.codes.taps == 1 and self.depthwise_lanes(channels) != self.codes.depthwise
        return "int16" if loops else self.codes.weights

    @property
    def depthwise_channels(self) -> int:
        """The number of which the channels of a depthwise layer of codes have to be a multiple: those of a vector of
        sums, and of the 16 bytes of codes that the least load takes.
        """
        return 1 if self.codes.taps == 1 else max(self.float_lanes, LEAST_LOAD // self.codes.size)

    def packs_in_tiles(self, channels: int) -> bool:
        """Whether a tile of one or two vectors of ``channels`` float results makes whole words."""
        bits = word_bits(self.word)
        return channels % bits == 0 or channels <= min(bits, self.float_lanes)
