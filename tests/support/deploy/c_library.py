"""The C interface of a library through ctypes, as a C program on the board sees it."""

from __future__ import annotations

import ctypes

import numpy as np

from b2nn_tvm.deploy.library.c_interface import aligned_empty
from b2nn_tvm.deploy.library.library_files import LIBRARY
from tests.support.deploy.handmade import N

OK, ARGUMENT, MEMORY, THREAD, KERNEL, BUSY = range(6)


class Tensor(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_char_p),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("size_bytes", ctypes.c_uint64),
    )


class Net:
    """A library as C sees it."""

    def __init__(self, folder):
        self.c = ctypes.CDLL(str(folder / LIBRARY))
        for name in ("b2nn_input", "b2nn_output"):
            getattr(self.c, name).restype = ctypes.POINTER(Tensor)
        for name in ("b2nn_step_name", "b2nn_step_layer", "b2nn_status_text", "b2nn_model_error", "b2nn_model_id"):
            getattr(self.c, name).restype = ctypes.c_char_p

    def create(self, threads: int) -> ctypes.c_void_p:
        model = ctypes.c_void_p()
        assert self.c.b2nn_model_create(ctypes.byref(model), threads) == OK
        return model

    def run(self, model, x: np.ndarray, out: np.ndarray, tasks: np.ndarray) -> int:
        return self.c.b2nn_model_run(model, table(x), table(out, tasks))

    def error(self, model) -> str:
        return self.c.b2nn_model_error(model).decode()


def table(*arrays):
    return (ctypes.c_void_p * len(arrays))(*(None if a is None else a.ctypes.data for a in arrays))


def outputs() -> tuple[np.ndarray, np.ndarray]:
    return aligned_empty((1, N), "float32"), aligned_empty((), "int32")
