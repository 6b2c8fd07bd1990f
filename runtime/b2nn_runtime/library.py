"""The C interface of a compiled library (b2nn.h) by ctypes: open it, make an instance, run it."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from b2nn_runtime.errors import RuntimeFault

ABI_VERSION = 1
ALIGNMENT = 64  # arrays at multiples of this are used in place


class Instance:
    """A loaded library and one instance of its network. Runs from several threads wait for one another."""

    def __init__(self, path: Path, *, model_id: str, threads: int) -> None:
        self._library = _open(path)
        found = self._library.b2nn_model_id().decode()
        if found != model_id:
            raise RuntimeFault(f"{path}: the library is not the one of its manifest; copy the whole folder again")
        missing = self._library.b2nn_cpu_missing()
        if missing:
            raise RuntimeFault(
                f"{path}: the library is for target {self._library.b2nn_target().decode()}, and this CPU lacks"
                f" {missing.decode()}; compile the network for a target that it has"
            )
        self._lock = threading.Lock()
        self._model = ctypes.c_void_p()
        status = self._library.b2nn_model_create(ctypes.byref(self._model), threads)
        if status:
            text = self._library.b2nn_status_text(status).decode()
            raise RuntimeFault(f"{path}: cannot make an instance with {threads} threads: {text}")
        self.threads: int = self._library.b2nn_model_threads(self._model)

    def run(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Compute ``outputs`` in place. The arrays must fit; nothing is checked here."""
        tables = [(ctypes.c_void_p * len(part))(*(array.ctypes.data for array in part)) for part in (inputs, outputs)]
        with self._lock:
            if not self._model:
                raise RuntimeFault("this network has been closed; load it again")
            if self._library.b2nn_model_run(self._model, *tables):
                raise RuntimeFault(f"the network failed: {self._library.b2nn_model_error(self._model).decode()}")

    def close(self) -> None:
        """Stop the threads and free the memory; a run in progress ends first."""
        with self._lock:
            if self._model:
                self._library.b2nn_model_destroy(self._model)
                self._model = ctypes.c_void_p()


def aligned_empty(shape: Sequence[int], dtype: str) -> np.ndarray:
    """An uninitialized array that the library uses in place."""
    count = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    memory = np.empty(count + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + count].view(dtype).reshape(shape)


def _open(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path.absolute()), mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError as error:
        raise RuntimeFault(f"{path}: this machine cannot load the library: {error}") from None
    try:
        version = library.b2nn_abi_version()
    except AttributeError:
        raise RuntimeFault(f"{path}: not the library of a compiled network") from None
    if version != ABI_VERSION:
        raise RuntimeFault(f"{path}: expected ABI version {ABI_VERSION}, but the library has {version}")
    table = ctypes.POINTER(ctypes.c_void_p)
    for name, result, arguments in (
        ("b2nn_model_id", ctypes.c_char_p, []),
        ("b2nn_target", ctypes.c_char_p, []),
        ("b2nn_cpu_missing", ctypes.c_char_p, []),
        ("b2nn_status_text", ctypes.c_char_p, [ctypes.c_int32]),
        ("b2nn_model_create", ctypes.c_int32, [table, ctypes.c_int32]),
        ("b2nn_model_destroy", None, [ctypes.c_void_p]),
        ("b2nn_model_threads", ctypes.c_int32, [ctypes.c_void_p]),
        ("b2nn_model_error", ctypes.c_char_p, [ctypes.c_void_p]),
        ("b2nn_model_run", ctypes.c_int32, [ctypes.c_void_p, table, table]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
