"""Load the weights that an ONNX file keeps in other files of its folder, after a check that they are there and fit."""

from __future__ import annotations

import os
import warnings
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
from onnx import TensorProto

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_names import quoted
from b2nn_tvm.frontend.checks.check_tensor import size_bytes
from b2nn_tvm.frontend.checks.walk_model import all_tensors

_SHARED = 4  # how often the bytes of a file may be read; tied weights share theirs
_TO_DO = "put it beside the model, or export with external_data=False"


def load_external_data(model: onnx.ModelProto, folder: Path) -> None:
    """Load the external data of ``model``, whose file stands in ``folder``, into its tensors.

    Raises InputError where a file is missing or too short, where it stands outside of the folder, or where the bytes of
    a tensor do not fit its shape and type.
    """
    sizes: dict[str, int] = {}
    wanted = 0
    for tensor in all_tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            location, needed = _check_entry(tensor, folder, sizes)
            wanted += needed
            if wanted > _SHARED * sum(sizes.values()):
                raise _unreadable(f"{quoted(location)}: more tensors share its bytes than is believable")
    if not sizes:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # entries that onnx does not know are left unread
            onnx.load_external_data_for_model(model, str(folder.resolve()))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise _unreadable(lines[0]) from None


def _check_entry(tensor: TensorProto, folder: Path, sizes: dict[str, int]) -> tuple[str, int]:
    """The location of the tensor's bytes and their number; ``sizes`` receives the size of a file that is new."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if not isinstance(location, str) or not location or "\0" in location:
        raise _unreadable(f"the tensor {quoted(tensor.name)} does not name it")
    if location not in sizes:
        posix, windows = PurePosixPath(location), PureWindowsPath(location)
        if posix.is_absolute() or windows.anchor or ".." in (*posix.parts, *windows.parts):
            raise InputError(
                f"the weights are stored in {quoted(location)}, which points outside of the model's folder and is not "
                "read; save the model again with its weights beside it"
            )
        try:
            sizes[location] = os.stat(folder / location).st_size if (folder / location).is_file() else -1
        except OSError as error:
            raise _unreadable(f"{quoted(location)}: {error.strerror}") from None
        if sizes[location] < 0:
            raise _unreadable(f"{quoted(location)}: no such file")
    needed = size_bytes(tensor)
    offset, length = _number(entries, "offset", 0, tensor), _number(entries, "length", needed, tensor)
    if length != needed:
        raise InputError(
            f"the tensor {quoted(tensor.name)} of the shape {list(tensor.dims)} needs {needed} bytes, but the file "
            f"keeps {length} of them in {quoted(location)}; export it again"
        )
    if offset + needed > sizes[location]:
        raise _unreadable(
            f"{quoted(location)} is too short: the tensor {quoted(tensor.name)} ends at byte {offset + needed}, the "
            f"file at {sizes[location]}"
        )
    if not entries.get("length"):  # without it onnx would read to the end of the file
        tensor.external_data.add(key="length", value=str(needed))
    return location, needed


def _number(entries: dict[str, str], key: str, default: int, tensor: TensorProto) -> int:
    text = entries.get(key, "")
    if not text:
        return default
    if not isinstance(text, str) or not (text.isascii() and text.isdigit() and len(text) < 20):
        raise _unreadable(f"the tensor {quoted(tensor.name)} has the {key} {quoted(text)}, which is no number")
    return int(text)


def _unreadable(reason: str) -> InputError:
    return InputError(f"the weights are stored in another file that cannot be read ({reason}); {_TO_DO}")
