"""A compiled network in its folder: load it, let it predict or run it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from b2nn_runtime.errors import RuntimeFault
from b2nn_runtime.library import Instance, aligned_empty
from b2nn_runtime.preprocess import Preprocess
from b2nn_runtime.read_image import pixels_of


class Tensor(NamedTuple):
    """An input or output of the network."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class Network:
    """A network that is ready to run. Close it, or use it as a context manager, to free its memory and threads."""

    def __init__(self, folder: Path, manifest: dict[str, Any], threads: int) -> None:
        library = manifest["library"]
        self.folder = folder
        self.labels: list[str] | None = manifest.get("labels")
        self.inputs, self.outputs = (
            tuple(Tensor(row["name"], tuple(row["shape"]), row["dtype"]) for row in manifest[part])
            for part in ("inputs", "outputs")
        )
        block = manifest.get("preprocess")
        self._preprocess = None if block is None else Preprocess.of(block)
        self._instance = Instance(folder / library["file"], model_id=library["model_id"], threads=threads)

    @property
    def threads(self) -> int:
        """The number of threads of a run."""
        return self._instance.threads

    def predict(self, image: Any, *, top: int = 5, probabilities: bool = False) -> list[tuple[str, float]]:
        """The ``top`` best classes of an image, each with its label and its score.

        ``image`` is a path, an image of Pillow, or pixels: uint8 [height, width, 3] in red, green, blue, or [height,
        width]. Scores are the network's, or probabilities by softmax where these are asked for. Raises RuntimeFault
        where the network takes no images or the image cannot be read.
        """
        scores = self.scores(image)
        order = np.argsort(-scores, kind="stable")[:top]
        values = _softmax(scores) if probabilities else scores
        return [(self._label(int(index)), float(values[index])) for index in order]

    def scores(self, image: Any) -> np.ndarray:
        """The scores of all classes, float32 [classes]."""
        values = self.prepare(image)
        found = self._scores_output()
        return self.run({self.inputs[0].name: values})[found.name].reshape(-1)

    def prepare(self, image: Any) -> np.ndarray:
        """The network's input of an image, as in ``predict``: resized, cropped, normalized."""
        if self._preprocess is None:
            raise RuntimeFault(
                f"{self.folder}: the manifest does not say how an image becomes the network's input (it has no"
                " preprocess); compile it from a file that says so (b2nn-compile --mean and --std, or b2nn-search), or"
                " give the values of the input to run()"
            )
        if len(self.inputs) != 1 or self.inputs[0].shape != self._preprocess.shape:
            raise RuntimeFault(
                f"{self.folder}: preprocess makes {list(self._preprocess.shape)}, which is not what the network takes;"
                " compile it again"
            )
        return self._preprocess(pixels_of(image))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs by name, for one array of exactly its shape and type for each input.

        Raises RuntimeFault where an array is missing or does not fit, and where the network fails.
        """
        names = [spec.name for spec in self.inputs]
        if sorted(inputs) != sorted(names):
            raise RuntimeFault(
                f"expected the inputs {', '.join(names)}, but got {', '.join(map(str, inputs)) or 'none'}"
            )
        arrays = [_fit(spec, inputs[spec.name]) for spec in self.inputs]
        outputs = [aligned_empty(spec.shape, spec.dtype) for spec in self.outputs]
        self._instance.run(arrays, outputs)
        return {spec.name: array for spec, array in zip(self.outputs, outputs)}

    def close(self) -> None:
        """Free the memory and the threads; a run in progress ends first."""
        self._instance.close()

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _scores_output(self) -> Tensor:
        """The first output that is one row of scores."""
        for spec in self.outputs:
            if spec.dtype == "float32" and spec.shape and sum(extent > 1 for extent in spec.shape) <= 1:
                return spec
        raise RuntimeFault(f"{self.folder}: no output is one row of float32 scores; run() gives the values")

    def _label(self, index: int) -> str:
        if self.labels is None or index >= len(self.labels):
            return f"class {index}"
        return self.labels[index]


def load(folder: str | os.PathLike[str], *, threads: int = 1) -> Network:
    """Load the network in ``folder``, which b2nn-compile wrote, to run with ``threads`` threads (0: one per CPU).

    Raises RuntimeFault where the folder holds none, or one that this machine cannot run.
    """
    path = Path(folder) / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        inside = sorted(str(each.parent) for each in Path(folder).glob("*/manifest.json"))
        raise RuntimeFault(
            f"{folder}: expected the folder of a compiled network, but cannot read its manifest.json: {error.strerror}"
            + (f"; try {inside[0]}" if inside else "")
        ) from None
    except ValueError:
        raise RuntimeFault(f"{path}: the manifest is damaged: copy it again") from None
    if not isinstance(manifest, dict) or manifest.get("kind") != "b2nn-manifest":
        raise RuntimeFault(f"{path}: expected the manifest of a compiled network")
    return Network(Path(folder), manifest, threads)


def _fit(spec: Tensor, value: np.ndarray) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype != np.dtype(spec.dtype) or array.shape != spec.shape:
        raise RuntimeFault(
            f"input {spec.name}: expected {spec.dtype} {list(spec.shape)}, but got {array.dtype} {list(array.shape)}"
        )
    return np.ascontiguousarray(array)


def _softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities: the scores themselves where they are probabilities already, else their softmax."""
    wide = scores.astype(np.float64)
    already = wide.min() >= 0 and abs(wide.sum() - 1) < 1e-3
    powers: np.ndarray = wide if already else np.exp(wide - wide.max())
    shares: np.ndarray = powers / powers.sum()
    return shares
