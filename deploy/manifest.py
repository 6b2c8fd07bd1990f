"""manifest.json: what is in a compiled library, where its bytes go, and how it was built."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from b2nn_tvm.deploy.program import LayerRow, TensorSpec
from b2nn_tvm.document import read_document, write_document
from b2nn_tvm.errors import InputError
from b2nn_tvm.targets.target import TargetInfo

FILE = "manifest.json"
KIND = "b2nn-manifest"
VERSION = 1


@dataclass(frozen=True)
class LibraryInfo:
    """The library's file beside the manifest; ``model_id`` is what the library itself answers.

    ``glibc`` is the oldest version of the GNU C library that it runs with, empty where it does not matter.
    """

    file: str
    sha256: str
    abi_version: int
    model_id: str
    glibc: str


@dataclass(frozen=True)
class Sizes:
    """Where the library's bytes go: constants of binary layers (packed weights, scales, thresholds), all other
    constants, machine code, the rest (tables, symbols, padding)."""

    library: int
    binary_constants: int
    other_constants: int
    code: int
    other: int


@dataclass(frozen=True)
class Memory:
    """Bytes that one instance allocates: activations, copies of inputs and outputs, scratch memory of each thread."""

    arena: int
    staging: int
    workspace_per_thread: int


@dataclass(frozen=True)
class BuildInfo:
    """How the library was built: ``model`` names the source, ``plan_digest`` the plan that it follows, if any."""

    model: str
    plan_digest: str
    tvm_version: str
    compiler: str


@dataclass(frozen=True)
class StepRow:
    """One kernel call and the layer it is booked under."""

    symbol: str
    layer: str


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json."""

    library: LibraryInfo
    target: TargetInfo
    build: BuildInfo
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: tuple[LayerRow, ...]
    steps: tuple[StepRow, ...]
    sizes: Sizes
    memory: Memory

    def save(self, folder: str | os.PathLike) -> Path:
        """Write ``folder``/manifest.json."""
        return write_document(Path(folder) / FILE, KIND, VERSION, asdict(self))


def read_manifest(folder: str | os.PathLike) -> Manifest:
    """Read the manifest of a compiled library; InputError where there is none or it is damaged."""
    folder = Path(folder)
    if not (folder / FILE).is_file():
        raise InputError(
            f"{folder}: expected the folder of a compiled library, but it has no {FILE}; make one with b2nn-compile"
        )
    body = read_document(folder / FILE, KIND, VERSION, _SCHEMA)
    tensors = lambda rows: tuple(TensorSpec(row["name"], tuple(row["shape"]), row["dtype"]) for row in rows)
    target = {key: tuple(value) if isinstance(value, list) else value for key, value in body["target"].items()}
    return Manifest(
        library=LibraryInfo(**body["library"]),
        target=TargetInfo(**target),
        build=BuildInfo(**body["build"]),
        inputs=tensors(body["inputs"]),
        outputs=tensors(body["outputs"]),
        layers=tuple(LayerRow(**row) for row in body["layers"]),
        steps=tuple(StepRow(**row) for row in body["steps"]),
        sizes=Sizes(**body["sizes"]),
        memory=Memory(**body["memory"]),
    )


def _object(row: type, **special: dict) -> dict:
    """The JSON schema of a dataclass of strings and counts: all fields, no others."""
    plain = {"str": {"type": "string"}, "int": {"type": "integer", "minimum": 0}, "tuple[str, ...]": _STRINGS}
    properties = {field.name: special.get(field.name) or plain[field.type] for field in fields(row)}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_STRINGS = {"type": "array", "items": {"type": "string"}}
_SHAPE = {"type": "array", "items": {"type": "integer", "minimum": 0}}
_rows = lambda row, **special: {"type": "array", "items": _object(row, **special)}
_SCHEMA = {
    "type": "object",
    "properties": {
        "library": _object(LibraryInfo, file={"type": "string", "pattern": r"^[\w.-]+$"}),
        "target": _object(TargetInfo),
        "build": _object(BuildInfo),
        "inputs": _rows(TensorSpec, shape=_SHAPE),
        "outputs": _rows(TensorSpec, shape=_SHAPE),
        "layers": _rows(LayerRow),
        "steps": _rows(StepRow),
        "sizes": _object(Sizes),
        "memory": _object(Memory),
    },
    "required": ["library", "target", "build", "inputs", "outputs", "layers", "steps", "sizes", "memory"],
}
