"""Import TVM without torch, in a process that needs no torch.

What TVM does: tvm_ffi imports torch where it is installed, to accept its tensors.

Why we need it: torch takes three times as long to import as TVM itself, and 150 MiB.

When it breaks: see which modules of tvm_ffi say ``import torch``, and that none of them needs it. Nothing but time and
memory is lost without this file.
"""

from __future__ import annotations

import sys


def import_tvm_alone() -> None:
    """Import TVM; where torch has not been imported, TVM does not find it, and takes no tensors of torch from then
    on.
    """
    if "tvm" in sys.modules or "torch" in sys.modules:
        return
    sys.modules["torch"] = None  # type: ignore[assignment]  # "import torch" fails as where it is not installed
    try:
        import tvm  # noqa: F401
    finally:
        del sys.modules["torch"]
