"""The C interface of a compiled library (runtime/b2nn.h) for Python: open a library, make instances, run them."""

from __future__ import annotations

import _ctypes
import ctypes
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from b2nn_tvm.deploy.library.library_files import ABI_VERSION, LEVEL_VARIABLE
from b2nn_tvm.errors import DeviceError, InputError
from b2nn_tvm.words.number_of import number_of

ALIGNMENT = 64

_loading = threading.Lock()

_Table = ctypes.Array[ctypes.c_void_p]  # addresses of arrays


class Library:
    """A loaded library. ``model_id`` is the id that its manifest states. ``level`` is the instruction set of the level
    that a library of several levels shall run, "" where the library chooses.

    Raises InputError where the library has another id, or no such level.
    """

    def __init__(self, path: Path, *, model_id: str, level: str = "") -> None:
        expected = (model_id, level)
        with _asking_for(level):
            self._opened: ctypes.CDLL | None = _open(path)
            if self._found(level) != expected:
                # The loader knows libraries by their path: a library that is still loaded hides a newer file at its
                # path, and goes on with the level that it has chosen.
                self.close()
                self._opened = _open_copy(path)
        if self._found(level) != expected:
            self.close()
            raise InputError(f"{path}: the library is not the one that its manifest describes; compile it again")

    def _found(self, level: str) -> tuple[str, str]:
        """The model's id, and the instruction set that runs where ``level`` asks for one."""
        return self.model_id, self.isa if level else ""

    @property
    def model_id(self) -> str:
        text: bytes = self._functions.b2nn_model_id()
        return text.decode()

    @property
    def isa(self) -> str:
        """The instruction set of the kernels that run: of several levels, that of the one which was chosen."""
        text: bytes = self._functions.b2nn_isa()
        return text.decode()

    def create(self, *, threads: int) -> Instance:
        """Make an instance with ``threads`` threads; 0 means one per CPU."""
        return Instance(self._functions, threads)

    def close(self) -> None:
        """Unload the library; all instances must be closed."""
        if self._opened is not None:
            _ctypes.dlclose(self._opened._handle)
            self._opened = None

    @property
    def _functions(self) -> ctypes.CDLL:
        if self._opened is None:
            raise DeviceError("this compiled network has been closed; load it again")
        return self._opened


class Instance:
    """One ``b2nn_model``. Runs from several threads wait for one another.

    Raises DeviceError where the library cannot make it, for lack of memory or of threads.
    """

    def __init__(self, functions: ctypes.CDLL, threads: int) -> None:
        self._functions = functions
        self._lock = threading.Lock()
        model = ctypes.c_void_p()
        if status := functions.b2nn_model_create(ctypes.byref(model), threads):
            text = functions.b2nn_status_text(status).decode()
            raise DeviceError(f"cannot make an instance of the network with {number_of(threads, 'thread')}: {text}")
        self._model = model
        self._destroy = weakref.finalize(self, functions.b2nn_model_destroy, model)
        self.threads = functions.b2nn_model_threads(model)
        self._step_count = functions.b2nn_step_count()

    def bind(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> Callable[[], float]:
        """A function that does ``run`` with these arrays, whose addresses are taken only once.

        The values of the arrays may change between calls.
        """
        elapsed = ctypes.c_double()
        tables = _addresses(inputs), _addresses(outputs)
        call = partial(self._call, self._functions.b2nn_model_run_timed, *tables, ctypes.byref(elapsed))
        return _BoundRun(call, elapsed, (inputs, outputs))

    def run(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> float:
        """Compute ``outputs`` in place; return the wall time in milliseconds. No check is made that the arrays fit."""
        elapsed = ctypes.c_double()
        self._call(self._functions.b2nn_model_run_timed, _addresses(inputs), _addresses(outputs), ctypes.byref(elapsed))
        return elapsed.value

    def profile(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> np.ndarray:
        """Compute ``outputs`` in place; return the wall time of each step in milliseconds, float64 [steps]."""
        steps = np.zeros(self._step_count)
        pointer = steps.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
        self._call(self._functions.b2nn_model_run_profiled, _addresses(inputs), _addresses(outputs), pointer)
        return steps

    def close(self) -> None:
        """Stop the worker threads and free the memory; a run in progress ends first."""
        with self._lock:
            self._destroy()

    def _call(self, function: Callable[..., int], inputs: _Table, outputs: _Table, times: object) -> None:
        with self._lock:
            if not self._destroy.alive:
                raise DeviceError("this compiled network has been closed; load it again")
            if status := function(self._model, inputs, outputs, times):
                text = self._functions.b2nn_model_error(self._model) or self._functions.b2nn_status_text(status)
                raise DeviceError(f"the compiled network failed: {text.decode()}")


@dataclass(frozen=True)
class _BoundRun:
    """A run with arrays that were given once; ``arrays`` keeps them alive, as their addresses are used in each call."""

    call: Callable[[], None]
    elapsed: ctypes.c_double
    arrays: tuple[Sequence[np.ndarray], Sequence[np.ndarray]]

    def __call__(self) -> float:
        self.call()
        return self.elapsed.value


def _addresses(arrays: Sequence[np.ndarray]) -> _Table:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def aligned_empty(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An uninitialised array whose address is a multiple of 64 bytes, so that the library uses it in place."""
    array = np.dtype(dtype)
    count = int(np.prod(shape, dtype=np.int64)) * array.itemsize
    memory = np.empty(count + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + count].view(array).reshape(shape)


@contextmanager
def _asking_for(level: str) -> Iterator[None]:
    """While it lasts, this thread alone loads libraries, and these choose this level; "" leaves the choice to them."""
    with _loading:
        before = os.environ.get(LEVEL_VARIABLE)
        if level:
            os.environ[LEVEL_VARIABLE] = level
        try:
            yield
        finally:
            if before is not None:
                os.environ[LEVEL_VARIABLE] = before
            elif level:
                del os.environ[LEVEL_VARIABLE]


def _open(path: Path) -> ctypes.CDLL:
    try:
        functions = ctypes.CDLL(str(path.absolute()), mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError as error:
        raise DeviceError(f"{path}: this machine cannot load the library: {error}") from None
    try:
        version = functions.b2nn_abi_version()
    except AttributeError:
        raise InputError(f"{path}: not the library of a compiled network") from None
    if version != ABI_VERSION:
        raise InputError(f"{path}: expected ABI version {ABI_VERSION}, but the library has {version}; compile it again")
    doubles, table = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_void_p)
    for name, result, arguments in (
        ("b2nn_model_id", ctypes.c_char_p, []),
        ("b2nn_isa", ctypes.c_char_p, []),
        ("b2nn_step_count", ctypes.c_int32, []),
        ("b2nn_status_text", ctypes.c_char_p, [ctypes.c_int32]),
        ("b2nn_model_create", ctypes.c_int32, [table, ctypes.c_int32]),
        ("b2nn_model_destroy", None, [ctypes.c_void_p]),
        ("b2nn_model_threads", ctypes.c_int32, [ctypes.c_void_p]),
        ("b2nn_model_error", ctypes.c_char_p, [ctypes.c_void_p]),
        ("b2nn_model_run_timed", ctypes.c_int32, [ctypes.c_void_p, table, table, doubles]),
        ("b2nn_model_run_profiled", ctypes.c_int32, [ctypes.c_void_p, table, table, doubles]),
    ):
        function = getattr(functions, name)
        function.restype, function.argtypes = result, arguments
    return functions


def _open_copy(path: Path) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory(prefix="b2nn-") as folder:
        return _open(Path(shutil.copy2(path, folder)))
