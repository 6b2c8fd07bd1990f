"""Read weights that lie in several files beside an index, as Hugging Face's libraries write large models.

model.safetensors.index.json   {"metadata": {...}, "weight_map": {"conv1.weight": "model-00001-of-00002.safetensors"}}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from b2nn_tvm.errors import InputError

ENDING = ".index.json"


def read_shards(index: Path, read: Callable[[Path], Any]) -> dict[str, Any]:
    """The tensors that the file ``index`` names, each from the file that it names, which ``read`` reads.

    The files are beside the index. Raises InputError where the index is damaged, or names a file elsewhere or a tensor
    that its file lacks.
    """
    places = _weight_map(index)
    files = {name: _content(index, name, read) for name in sorted(set(places.values()))}
    lacking = [tensor for tensor, name in places.items() if tensor not in files[name]]
    if lacking:
        raise InputError(
            f"{index}: {places[lacking[0]]} lacks {lacking[0]}, which is to be in it; copy the files again"
        )
    return {tensor: files[name][tensor] for tensor, name in places.items()}


def _weight_map(index: Path) -> dict[str, str]:
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise InputError(
            f'{index}: expected {{"weight_map": {{"<tensor>": "<file>"}}}}, but it is damaged; copy it again'
        )
    return places


def _content(index: Path, name: str, read: Callable[[Path], Any]) -> Mapping[str, Any]:
    if name in ("", ".", "..") or "/" in name or "\\" in name or name.endswith(ENDING):
        raise InputError(f"{index}: it names {name!r}; expected files of weights beside it")
    content = read(index.with_name(name))
    if not isinstance(content, Mapping):
        raise InputError(f"{index.with_name(name)}: expected tensors by name, but it holds a {type(content).__name__}")
    return content
