"""End a Relax block builder whose work was given up, without a word on stderr.

What TVM does: the destructor of a BlockBuilder that still has an open block writes a warning to stderr.

Why we need it: a converter that raises leaves the importer's builder in the middle of a block, and our error is one
line.

When it breaks: see how ``relax/block_builder.py`` ends a block, or whether the warning is gone; then this file can go,
too.
"""

from __future__ import annotations

from tvm import relax


def end_block(builder: relax.BlockBuilder) -> None:
    """End the open block of a builder that nobody will use any more."""
    builder._end_block()
