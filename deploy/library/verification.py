"""What the manifest says of the comparison with onnxruntime that a library went through before it was put in place."""

from __future__ import annotations

from dataclasses import dataclass

THIS_LIBRARY = "this library"
EMULATED = "this library, emulated"
SAME_NETWORK = "the same network on this machine"
NOT_CHECKED = "not checked"
METHODS = (THIS_LIBRARY, EMULATED, SAME_NETWORK, NOT_CHECKED)


@dataclass(frozen=True)
class Verification:
    """How a library was checked.

    ``method``, one of METHODS, says what was run: where it is EMULATED, the same network was compared on the machine
    that compiled it, too. ``reason`` says why nothing was checked, or why the library was not run under the emulator.
    ``largest_difference`` is relative to the largest magnitude of an output; ``inputs`` counts the random inputs that
    ``method`` was compared on.
    """

    method: str
    reason: str = ""
    largest_difference: float = 0.0
    inputs: int = 0

    @property
    def note(self) -> str:
        """The warning that goes with every result of a library that was not checked; empty where it was."""
        if self.method != NOT_CHECKED:
            return ""
        return f"this library was not checked against the reference ({self.reason}); its results may be wrong"

    @property
    def summary(self) -> str:
        """What was checked and how, in one line; empty where nothing was."""
        if self.method == NOT_CHECKED:
            return ""
        count = f"{self.inputs} random input{'s' * (self.inputs > 1)}"
        rest = f"; the library itself was not run under the emulator: {self.reason}" if self.reason else ""
        return (
            f"compared with onnxruntime on {count}: {self.method}, largest relative difference "
            f"{self.largest_difference:.1e}{rest}"
        )


def not_checked(reason: str) -> Verification:
    """What is said of a library that nothing was compared with."""
    return Verification(NOT_CHECKED, reason)
