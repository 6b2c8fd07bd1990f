"""Let errors for users keep their kind on their way from a pass through TVM's C++ to the caller.

What TVM does: an error that Python code raises below C++ is made anew behind it, by the name of its kind in a table; a
kind that is not in the table becomes RuntimeError.

Why we need it: a pass that refuses a network raises UnsupportedError, and nobody looks at passes but through C++.

When it breaks: see ``tvm_ffi/error.py`` for how kinds are registered.
"""

from __future__ import annotations

import tvm_ffi

from b2nn_tvm import errors


def keep_error_kinds() -> None:
    """Enter all kinds of errors for users into TVM's table."""
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.B2nnError):
            tvm_ffi.register_error(kind.__name__, kind)
