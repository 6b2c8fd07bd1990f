"""Let TVM compute the rounding of a vector at once.

What TVM does: its pass VectorizeLoop takes a whole loop back to single numbers if an operator in it has no attribute
"TVectorizable". ``tirx.nearbyint``, of which ``R.round`` is made, has none, although LLVM rounds vectors in one
instruction.

Why we need it: every kernel that makes codes of 8 bits rounds. With single numbers they took two to four times as long.

When it breaks: see whether the attribute, or the operator, has another name.
"""

from __future__ import annotations

import threading

from tvm.ir import Op

_ATTRIBUTE = "TVectorizable"
_LOCK = threading.Lock()


def vectorize_rounding() -> None:
    """State that ``tirx.nearbyint`` takes vectors; a second call, also in another thread, changes nothing.

    TVM does not let an attribute be stated twice, and networks are built side by side in threads.
    """
    with _LOCK:
        rounding = Op.get("tirx.nearbyint")
        if rounding.get_attr(_ATTRIBUTE) is None:
            rounding.set_attr(_ATTRIBUTE, True)
