"""Tell what a file that is no ONNX model really is, from its first bytes, and what to do about it.

Nothing but Python's own library is imported here, so that a wrong name is answered at once.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from b2nn_tvm.errors import InputError

HEAD_BYTES = 512  # what is looked at; a tar archive says so at byte 257

_LFS = "a Git LFS pointer, which stands for the model; fetch the model itself with git lfs pull"
_PAGE = "a web page in HTML, not the model: download the raw file"
_PYTORCH = (
    "a file of PyTorch (torch.save or TorchScript); load the network in PyTorch and export it with torch.onnx.export"
)
_SAFETENSORS = (
    "weights in safetensors, without the network; load them into the network in PyTorch and export that to ONNX"
)
_TFLITE = "a TensorFlow Lite model; convert it to ONNX with tf2onnx"
_KERAS = "a Keras model; convert it to ONNX with tf2onnx"
_HDF5 = "an HDF5 file, as Keras writes it (.h5); convert it to ONNX with tf2onnx"
_ORT = "in onnxruntime's own format (.ort); give the ONNX file from which it was made"
_COMPRESSED = "compressed; unpack it first"
_ELF = "a compiled program or library, not a model; give the ONNX file from which it was made"
_ARRAYS = "an archive of numpy arrays (.npz), without a network; give the ONNX file of the network"
_TEXT = "text; expected ONNX's binary form, as onnx.save writes it"

# The first bytes that are sure signs; no ONNX model begins like this.
_MAGIC = (
    (b"version https://git-lfs.github.com/spec/", _LFS),
    (b"\x89HDF\r\n\x1a\n", _HDF5),
    (b"\x1f\x8b", _COMPRESSED),
    (b"\xfd7zXZ\x00", _COMPRESSED),
    (b"\x28\xb5\x2f\xfd", _COMPRESSED),
    (b"BZh", _COMPRESSED),
    (b"7z\xbc\xaf\x27\x1c", _COMPRESSED),
    (b"\x7fELF", _ELF),
    (b"GGUF", "a language model in GGUF; this compiler takes networks with convolutions, in ONNX"),
    (b"\x93NUMPY", "one numpy array (.npy), without a network; give the ONNX file of the network"),
    (b"\x89PNG", "a picture, not a model"),
    (b"\xff\xd8\xff", "a picture, not a model"),
    (b"%PDF", "a PDF document, not a model"),
)
_AT_4 = ((b"TFL3", _TFLITE), (b"ORTM", _ORT))
_MARKUP = (
    (b"<!doctype html", _PAGE),
    (b"<html", _PAGE),
    (b"<?xml", "XML; if it is OpenVINO's, give the ONNX file from which it was made"),
)
_ENDINGS = {
    ".pb": "it may be a TensorFlow graph; convert it to ONNX with tf2onnx",
    ".mlmodel": "it may be a Core ML model; export the network to ONNX instead",
    ".caffemodel": "it may be a Caffe model; export the network to ONNX instead",
}


def check_kind(path: Path) -> None:
    """Raise InputError where there is no such file, or where it is surely no ONNX model, with what it is instead."""
    if path.is_dir():
        raise InputError(f"{path}: expected an ONNX file, but this is a folder{_models_in(path)}")
    if not path.exists():
        raise InputError(f"{path}: no such file; expected an ONNX model")
    if not path.is_file():
        raise InputError(f"{path}: expected an ONNX file, but this is a device or a pipe; give the name of a file")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise InputError(f"{path}: expected an ONNX model, but the file is empty; download it or export it again")
    if kind := file_kind(path, head):
        raise InputError(f"{path}: expected an ONNX model, but the file is {kind}")


def file_kind(path: Path, head: bytes) -> str:
    """What the file that begins with ``head`` is, and what to do; "" where nothing speaks against ONNX."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    for magic, kind in _AT_4:
        if head[4:8] == magic:
            return kind
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):  # pickle, protocol 2 and later
        return _PYTORCH
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    if head[8:9] == b"{" and 1 < int.from_bytes(head[:8], "little") < path.stat().st_size:
        return _SAFETENSORS
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginning, kind in _MARKUP:
        if text.startswith(beginning):
            return kind
    return _TEXT if _is_text(head) else ""


def likely_kind(path: Path) -> str:
    """What a file that cannot be read may be by the ending of its name, and what to do; "" where that tells nothing."""
    return _ENDINGS.get(path.suffix.lower(), "")


def _models_in(folder: Path) -> str:
    """The end of an error about a folder: the models in it, as far as there are any."""
    if (folder / "libb2nn_model.so").is_file():
        return ", which holds a compiled library already; give the ONNX file from which it was made"
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() == ".onnx")
    return f"; give one of its files: {', '.join(names[:3])}" if names else "; give the name of a file"


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return f"a damaged zip archive, perhaps {_PYTORCH}"
    if any(name.endswith(("data.pkl", "constants.pkl")) for name in names):
        return _PYTORCH
    if any(name.endswith(".onnx") for name in names):
        return "a zip archive with an ONNX file in it; unpack it first"
    if "config.json" in names:
        return _KERAS
    if names and all(name.endswith(".npy") for name in names):
        return _ARRAYS
    return "a zip archive; give the ONNX file of the network"


def _is_text(head: bytes) -> bool:
    """Whether all of ``head`` is printable ASCII; an ONNX model has a byte 8, a backspace, at its very start."""
    return len(head) > 8 and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)
