"""A file or folder in the place of a network's name, and what can be done with it."""

from __future__ import annotations

from pathlib import PurePath

WEIGHTS = (".pt", ".pth", ".ckpt", ".safetensors")


def file_in_place_of_network(word: str) -> str | None:
    """What to do with the file ``word``, by the end of its name; None for words that are not known to be files."""
    ending = PurePath(word).suffix.lower()
    if ending == ".onnx":
        return (
            f"{word} is an ONNX file, but a search trains a network of PyTorch: b2nn-compile {word} compiles the file"
            f" as it is, and b2nn-profile {word} --what-if says what binary layers would save"
        )
    if ending in WEIGHTS:
        return f"{word} is a file of weights: name their network with --model, and this file with --checkpoint"
    return None
