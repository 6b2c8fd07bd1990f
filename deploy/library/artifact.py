"""A compiled network: load the folder that the compiler wrote, look at it, run it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from b2nn_tvm.deploy.codegen.program import LayerRow, TensorSpec
from b2nn_tvm.deploy.library.c_interface import Instance, Library, aligned_empty
from b2nn_tvm.deploy.library.library_files import ABI_VERSION
from b2nn_tvm.deploy.library.manifest import Manifest, read_manifest
from b2nn_tvm.errors import DeviceError, InputError
from b2nn_tvm.faults.check_arguments import PATH, check_arguments
from b2nn_tvm.targets.target import TargetInfo


class Artifact:
    """A compiled network in ``folder``. Close it, or use it as a context manager, to free its memory and threads.

    An artifact is safe to use from several threads. It makes one instance of the network for each requested number of
    threads, at the first run; runs with the same number wait for one another. For runs side by side, load the folder
    once per thread. ``level`` is the instruction set of the only level that is run, "" where the library chooses.
    """

    def __init__(self, folder: Path, manifest: Manifest, *, level: str = "") -> None:
        self.folder = folder
        self.manifest = manifest
        self.level = level
        self._lock = threading.Lock()
        self._library: Library | None = None
        self._instances: dict[int, Instance] = {}
        self._closed = False

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self.manifest.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self.manifest.outputs

    @property
    def layers(self) -> tuple[LayerRow, ...]:
        return self.manifest.layers

    @property
    def target(self) -> TargetInfo:
        return self.manifest.target

    @property
    def size_bytes(self) -> int:
        """The size of the library's file in bytes."""
        return self.manifest.sizes.library

    @property
    def library_path(self) -> Path:
        return self.folder / self.manifest.library.file

    def at_level(self, isa: str) -> Artifact:
        """The same library, of which only the level with this instruction set is run and described.

        Raises InputError where it has no such level.
        """
        return Artifact(self.folder, self.manifest.at_level(isa), level=isa)

    def run(self, inputs: Mapping[str, np.ndarray], *, threads: int = 1) -> dict[str, np.ndarray]:
        """Compute the outputs with ``threads`` threads (0: one per CPU) and return them by name.

        ``inputs`` holds one array for each input, of exactly its shape and dtype. Raises InputError where they differ
        and DeviceError where this machine cannot run the library or a kernel fails.
        """
        arrays = check_inputs(self.inputs, inputs)
        outputs = [aligned_empty(spec.shape, spec.dtype) for spec in self.outputs]
        self.instance(threads=threads).run(arrays, outputs)
        return {spec.name: array for spec, array in zip(self.outputs, outputs)}

    def instance(self, *, threads: int) -> Instance:
        """The instance of the network with this number of threads, made at the first call.

        Raises DeviceError where this machine cannot run the library, or after ``close``.
        """
        with self._lock:
            if self._closed:
                raise DeviceError(f"{self.folder}: this compiled network has been closed; load it again")
            if self._library is None:
                if self.target.missing:
                    raise DeviceError(
                        f"{self.folder} is compiled for target {self.target.name} ({self.target.description}); this "
                        f"machine lacks {', '.join(self.target.missing)}; run it on such a device, or compile it with "
                        "--target native"
                    )
                self._library = Library(self.library_path, model_id=self.manifest.library.model_id, level=self.level)
            if threads not in self._instances:
                self._instances[threads] = self._library.create(threads=threads)
            return self._instances[threads]

    def close(self) -> None:
        """Free the instances and unload the library; runs in progress end first."""
        with self._lock:
            self._closed = True
            for instance in self._instances.values():
                instance.close()
            self._instances.clear()
            if self._library is not None:
                self._library.close()
                self._library = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Artifact({str(self.folder)!r}, target={self.target.name!r}, size_bytes={self.size_bytes})"


def load(folder: str | os.PathLike[str]) -> Artifact:
    """Open the folder of a compiled library; this works on any machine, only runs need a machine of the target.

    Raises InputError where the folder holds no library, or where the library does not fit its manifest or this version.
    """
    check_arguments({"folder": PATH}, {"folder": folder}, folder="name what compile_model wrote")
    folder = Path(folder)
    manifest = read_manifest(folder)
    info = manifest.library
    if info.abi_version != ABI_VERSION:
        raise InputError(
            f"{folder}: expected ABI version {ABI_VERSION}, but the library has {info.abi_version}; compile it again"
        )
    path = folder / info.file
    if not path.is_file():
        raise InputError(f"{path}: no such file, although the manifest names it; compile it again")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != info.sha256:
        raise InputError(
            f"{path}: the library is damaged or not the one of its manifest (sha256 differs); compile it again"
        )
    return Artifact(folder, manifest)


def check_inputs(specs: tuple[TensorSpec, ...], arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The arrays in the order of ``specs``, dense; raises InputError where an array is missing or does not fit."""
    expected = [spec.name for spec in specs]
    if not isinstance(arrays, Mapping):
        raise InputError(
            f"expected the inputs as a dict by name ({', '.join(expected)}), but got {type(arrays).__name__}"
        )
    missing, extra = sorted(set(expected) - set(arrays)), sorted(map(str, set(arrays) - set(expected)))
    if missing or extra:
        wrong = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"unknown: {', '.join(extra)}"] * bool(extra)
        raise InputError(f"expected the inputs {', '.join(expected)}, but {'; '.join(wrong)}")
    return [_fit(spec, arrays[spec.name]) for spec in specs]


def _fit(spec: TensorSpec, value: npt.ArrayLike) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype != np.dtype(spec.dtype):
        raise InputError(
            f"input {spec.name}: expected dtype {spec.dtype}, but got {array.dtype}; "
            f"convert it with .astype({spec.dtype!r})"
        )
    if array.shape != spec.shape:
        raise InputError(f"input {spec.name}: expected shape {_shape(spec.shape)}, but got {_shape(array.shape)}")
    return np.ascontiguousarray(array).reshape(spec.shape)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
