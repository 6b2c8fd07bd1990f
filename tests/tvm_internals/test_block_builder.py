"""A block builder that was left in the middle of a block says nothing on stderr once its block is ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A converter that raises leaves the importer's builder so: inside a function and a dataflow block.
INTERRUPTED = """
import sys
from b2nn_tvm.tvm_internals.import_alone import import_tvm_alone
import_tvm_alone()  # torch would take longest
from tvm import relax
from b2nn_tvm.tvm_internals.block_builder import end_block
builder = relax.BlockBuilder()
x = relax.Var("x", relax.TensorType((2,), "float32"))
try:
    with builder.function("main", [x]):
        with builder.dataflow():
            raise LookupError
except (LookupError, RuntimeError):
    pass
if sys.argv[1] == "end":
    end_block(builder)
del builder
"""


def complaint(word: str) -> str:
    """What is written to stderr when a builder is left as it is, or its block ended."""
    command = [sys.executable, "-c", INTERRUPTED, word]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"relax.BlockBuilder has no _end_block() any more: {done.stderr}"
    return done.stderr


def test_a_builder_whose_block_was_ended_says_nothing():
    assert complaint("end") == "", (
        "a failed import writes more than one line to stderr; see b2nn_tvm/tvm_internals/block_builder.py"
    )


def test_one_that_was_left_does_complain():
    assert complaint("leave"), "TVM no longer warns of open blocks: b2nn_tvm/tvm_internals/block_builder.py can go"
