"""The record in the manifest of how a library was compared with onnxruntime before it was put in place."""

from __future__ import annotations

from dataclasses import dataclass

from b2nn_tvm.words.number_of import number_of

THIS_LIBRARY = "this library"
EMULATED = "this library, emulated"
SAME_NETWORK = "the same network on this machine"
NOT_CHECKED = "not checked"
METHODS = (THIS_LIBRARY, EMULATED, SAME_NETWORK, NOT_CHECKED)


@dataclass(frozen=True)
class Verification:
    """The record of how a library was checked.

    ``method``, one of METHODS, says which code was run; where it is EMULATED, the same network was also compared on the
    machine that compiled it. ``reason`` says why nothing was checked, why the library was not run under the emulator,
    or, of one that was run, what is no fault but good to know. ``largest_difference`` is relative to the largest
    magnitude of an output; ``inputs`` is the number of random inputs of the comparison.
    """

    method: str
    reason: str = ""
    largest_difference: float = 0.0
    inputs: int = 0

    @property
    def note(self) -> str:
        """The warning that goes with every result of an unchecked library; empty where the library was checked."""
        if self.method != NOT_CHECKED:
            return ""
        return f"this library was not checked against the reference ({self.reason}); its results may be wrong"

    @property
    def summary(self) -> str:
        """The comparison and its result in one line; empty where nothing was checked."""
        if self.method == NOT_CHECKED:
            return ""
        count = f"{number_of(self.inputs, 'random input')}"
        words = "the library itself was not run under the emulator: " if self.method == SAME_NETWORK else ""
        rest = f"; {words}{self.reason}" if self.reason else ""
        return (
            f"compared with onnxruntime on {count}: {self.method}, largest relative difference "
            f"{self.largest_difference:.1e}{rest}"
        )


def not_checked(reason: str) -> Verification:
    """The record of a library that was compared with nothing, for this ``reason``."""
    return Verification(NOT_CHECKED, reason)
