"""Versioned JSON documents and files that are never half-written."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b2nn_tvm.errors import InputError
from b2nn_tvm.version import __version__

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


def write_atomic(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write ``content`` under a temporary name beside ``path``, then rename; a reader never sees a part of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def write_document(path: str | os.PathLike[str], kind: str, version: int, body: Mapping[str, Any]) -> Path:
    """Write ``body`` as JSON with its ``kind``, format ``version`` and the tool's version."""
    head = {"kind": kind, "format_version": version, "tool_version": __version__}
    return write_atomic(path, (json.dumps({**head, **body}, indent=2) + "\n").encode())


def as_json(value: Any) -> Any:
    """``value`` as JSON-able data: tuples become lists, paths become text, and infinity and NaN, which JSON lacks,
    become None.
    """
    if isinstance(value, Mapping):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_document(
    path: str | os.PathLike[str],
    kind: str,
    version: int,
    schema: Mapping[str, Any],
    *,
    older: Collection[int] = (),
) -> dict[str, Any]:
    """Read a document of this ``kind`` and format ``version`` and check it against a JSON ``schema``.

    Of ``older`` versions the schema holds as well.

    Raises InputError where the file is missing, is not JSON, is of another kind or version, or breaks the schema.
    """
    path = Path(path)
    if path.is_dir():
        inside = path / f"{kind}.json"
        meant = f"; give {inside}" if inside.is_file() else ""
        raise InputError(f"{path}: expected a {kind} document, but this is a folder{meant}")
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))  # some editors write a mark at the beginning
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a {kind} document") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected a {kind} document in JSON, but it is no text") from None
    except (ValueError, RecursionError, NotADirectoryError) as error:
        raise InputError(f"{path}: expected a {kind} document in JSON, but it cannot be read: {error}") from None
    found = document.get("kind") if isinstance(document, dict) else None
    if found != kind:
        raise InputError(f"{path}: expected a document of kind {kind!r}, but its kind is {found!r}")
    if document.get("format_version") not in (version, *older):
        raise InputError(
            f"{path}: expected format version {version} of {kind}, but it has {document.get('format_version')!r} "
            f"(written by version {document.get('tool_version')}); write it again with this version of the tool"
        )
    if fault := _first_fault(document, schema):
        raise InputError(f"{path}: {fault}")
    return dict(document)


def _first_fault(document: object, schema: Mapping[str, Any]) -> str:
    """What breaks the schema most, and where; empty where nothing does."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator(json.dumps(schema)).iter_errors(document))
    if error is None:
        return ""
    where = "/".join(map(str, error.absolute_path)) or "the top level"
    return f"{where} is not as expected: {error.message}"


@cache
def _validator(schema: str) -> Validator:
    """The validator of a JSON schema, which is itself checked: that takes ten times as long as to check a manifest."""
    from jsonschema.validators import validator_for

    loaded = json.loads(schema)
    kind = validator_for(loaded)
    kind.check_schema(loaded)
    return kind(loaded)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
