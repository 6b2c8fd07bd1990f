"""What the files of a library are called, and what a library and its readers agree on."""

from __future__ import annotations

ABI_VERSION = 1  # B2NN_ABI_VERSION in runtime/b2nn.h
LEVEL_VARIABLE = "B2NN_LEVEL"  # as in runtime/level.c
LIBRARY = "libb2nn_model.so"
RUNNER = "b2nn-run"
HEADER = "b2nn.h"
