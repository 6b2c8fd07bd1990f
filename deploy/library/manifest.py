"""manifest.json: the contents of a compiled library, where its bytes go, and how it was built."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from b2nn_tvm.deploy.codegen.program import LayerRow, TensorSpec
from b2nn_tvm.deploy.library.verification import METHODS, Verification
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.block import SCHEMA, block_of, read_block
from b2nn_tvm.preprocess.preprocess import Preprocess
from b2nn_tvm.provenance.rewrite_log import Rewrite
from b2nn_tvm.storage.document import read_document, write_document
from b2nn_tvm.targets.target import TargetInfo

FILE = "manifest.json"
KIND = "b2nn-manifest"
VERSION = 6


@dataclass(frozen=True)
class LibraryInfo:
    """The library's file beside the manifest; ``model_id`` is the id that the library itself gives.

    ``glibc`` is the oldest version of the GNU C library with which it runs, empty where the version does not matter.
    """

    file: str
    sha256: str
    abi_version: int
    model_id: str
    glibc: str


@dataclass(frozen=True)
class Sizes:
    """The parts of a library's file in bytes; ``library`` is the whole file, to which all other fields add up.

    ``packed_weights`` and ``binary_constants`` (scales, thresholds, borders) belong to binary layers;
    ``weight_binary_weights`` are packed, too. ``tables`` is all loaded data but the constants: literals of the code,
    names of layers, unwinding. ``linking`` is symbols, relocations and the like.
    """

    library: int
    packed_weights: int
    weight_binary_weights: int
    binary_constants: int
    float_weights: int
    other_constants: int
    kernel_code: int
    runtime_code: int
    tables: int
    linking: int
    padding: int


@dataclass(frozen=True)
class Memory:
    """The bytes that one instance allocates for activations, copies of inputs and outputs, and scratch memory."""

    arena: int
    staging: int
    workspace_per_thread: int


@dataclass(frozen=True)
class BuildInfo:
    """The origin of the library: ``model`` names its source, ``plan_digest`` the plan that it follows, if any.

    ``note`` says that the answers are not those of the source, and why; it is empty where they are.
    """

    model: str
    plan_digest: str
    tvm_version: str
    compiler: str
    note: str


@dataclass(frozen=True)
class StepRow:
    """One kernel call, with the fields of ``Step`` in program.py except for its arguments."""

    symbol: str
    layer: str
    operations: tuple[str, ...]
    schedule: str
    outputs: tuple[str, ...]
    output_bytes: int
    constant_bytes: int
    workspace_bytes: int


@dataclass(frozen=True)
class LevelInfo:
    """The same network for another target, in the same library, which runs it where the CPU has all it ``requires``.

    ``kernel_code`` and ``constants`` are the bytes that it adds to the levels before it, as are those of ``layers`` and
    ``steps``; ``memory`` is that of an instance that runs it.
    """

    target: TargetInfo
    kernel_code: int
    constants: int
    memory: Memory
    layers: tuple[LayerRow, ...]
    steps: tuple[StepRow, ...]


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json.

    ``preprocess`` is how a picture becomes the input, ``labels`` are the names of the classes; None where not known.
    ``levels`` are those above ``target``, the best one last: a library without them is for one instruction set alone.
    """

    library: LibraryInfo
    target: TargetInfo
    build: BuildInfo
    verification: Verification
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: tuple[LayerRow, ...]
    steps: tuple[StepRow, ...]
    rewrites: tuple[Rewrite, ...]
    sizes: Sizes
    memory: Memory
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] | None = None
    levels: tuple[LevelInfo, ...] = ()

    @property
    def isas(self) -> tuple[str, ...]:
        """The instruction sets for which the library has kernels: that of its target, then those of its levels."""
        return (self.target.vector, *(level.target.vector for level in self.levels))

    def best_isa(self, features: Collection[str]) -> str:
        """The instruction set of the level that the library runs on a CPU with these ``features``, by Linux's names."""
        running = [each.target for each in self.levels if {*each.target.requires} <= {*features}]
        return (running or [self.target])[-1].vector

    def at_level(self, isa: str) -> Manifest:
        """The manifest as that of a library which has no level but the one of this instruction set.

        Raises InputError where there is none.
        """
        if isa == self.target.vector:
            return replace(self, levels=())
        for each in self.levels:
            if each.target.vector == isa:
                parts = {name: getattr(each, name) for name in ("target", "memory", "layers", "steps")}
                return replace(self, **parts, levels=())
        raise InputError(f"the library has no level {isa!r}; its levels are {', '.join(self.isas)}")

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``folder``/manifest.json and return its path."""
        block = None if self.preprocess is None else block_of(self.preprocess)
        return write_document(Path(folder) / FILE, KIND, VERSION, {**asdict(self), "preprocess": block})


def _libraries_in(folder: Path) -> str:
    """What to do about a folder that is no library: the libraries in it, such as those of a search's result."""
    found = sorted(each.parent.name for each in folder.glob(f"*/{FILE}"))
    return f"try {' or '.join(str(folder / name) for name in found[:3])}" if found else "b2nn-compile makes one"


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Read the manifest of a compiled library; raises InputError where there is none or it is damaged."""
    folder = Path(folder)
    if not folder.exists():
        raise InputError(f"{folder}: no such folder; expected that of a compiled library, which b2nn-compile makes")
    if folder.is_file():
        around = f"; give its folder, {folder.parent}" if (folder.parent / FILE).is_file() else ""
        raise InputError(f"{folder}: expected the folder of a compiled library, but this is a file{around}")
    if not (folder / FILE).is_file():
        raise InputError(
            f"{folder}: expected the folder of a compiled library, but it has no {FILE}; {_libraries_in(folder)}"
        )
    body = read_document(folder / FILE, KIND, VERSION, _SCHEMA)
    return Manifest(
        library=LibraryInfo(**body["library"]),
        target=TargetInfo(**_tuples(body["target"])),
        build=BuildInfo(**body["build"]),
        verification=Verification(**body["verification"]),
        inputs=_tensors(body["inputs"]),
        outputs=_tensors(body["outputs"]),
        layers=tuple(LayerRow(**row) for row in body["layers"]),
        steps=tuple(StepRow(**_tuples(row)) for row in body["steps"]),
        rewrites=tuple(Rewrite(**row) for row in body["rewrites"]),
        sizes=Sizes(**body["sizes"]),
        memory=Memory(**body["memory"]),
        preprocess=None if body["preprocess"] is None else read_block(body["preprocess"]),
        labels=None if body["labels"] is None else tuple(body["labels"]),
        levels=tuple(map(_level, body.get("levels", ()))),  # older files have none
    )


def _level(row: dict[str, Any]) -> LevelInfo:
    return LevelInfo(
        target=TargetInfo(**_tuples(row["target"])),
        kernel_code=row["kernel_code"],
        constants=row["constants"],
        memory=Memory(**row["memory"]),
        layers=tuple(LayerRow(**each) for each in row["layers"]),
        steps=tuple(StepRow(**_tuples(each)) for each in row["steps"]),
    )


def _tensors(rows: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(row["name"], tuple(row["shape"]), row["dtype"]) for row in rows)


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _object(row: type, **special: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a dataclass of strings, counts and magnitudes, with exactly its fields.

    ``special`` has the schemas of fields of other types.
    """
    plain = {
        "str": {"type": "string"},
        "int": {"type": "integer", "minimum": 0},
        "float": {"type": "number", "minimum": 0},
        "bool": {"type": "boolean"},
        "tuple[str, ...]": _STRINGS,
    }
    properties = {field.name: special.get(field.name) or plain[str(field.type)] for field in fields(row)}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _rows(row: type, **special: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": _object(row, **special)}


_STRINGS = {"type": "array", "items": {"type": "string"}}
_SHAPE = {"type": "array", "items": {"type": "integer", "minimum": 0}}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "library": _object(LibraryInfo, file={"type": "string", "pattern": r"^[\w.-]+$"}),
        "target": _object(TargetInfo),
        "build": _object(BuildInfo),
        "verification": _object(Verification, method={"enum": list(METHODS)}),
        "inputs": _rows(TensorSpec, shape=_SHAPE),
        "outputs": _rows(TensorSpec, shape=_SHAPE),
        "layers": _rows(LayerRow),
        "steps": _rows(StepRow),
        "rewrites": _rows(Rewrite),
        "sizes": _object(Sizes),
        "memory": _object(Memory),
        "preprocess": {"anyOf": [{"type": "null"}, SCHEMA]},
        "labels": {"anyOf": [{"type": "null"}, _STRINGS]},
    },
}
_SCHEMA["required"] = list(_SCHEMA["properties"])
_SCHEMA["properties"]["levels"] = _rows(
    LevelInfo, **{name: _SCHEMA["properties"][name] for name in ("target", "memory", "layers", "steps")}
)
