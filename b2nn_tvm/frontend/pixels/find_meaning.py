"""What the data of an ONNX network mean: what its user says, else what the metadata of the file says, if it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.fit_to_input import COVER, as_way, fit_to_input
from b2nn_tvm.preprocess.labels import tidy
from b2nn_tvm.preprocess.onnx_metadata import Meaning
from b2nn_tvm.preprocess.preprocess import Preprocess

COLOR = ("rgb", "bgr")
Tensors = Mapping[str, tuple[str, tuple[int, ...]]]  # dtype and shape by name


@dataclass(frozen=True)
class Given:
    """What the user says of the data: ``mean`` and ``std`` of v / 255, a number for each channel or one for all; with
    them the way to ``resize`` (fit_to_input.py) and whether the ``channels`` are "rgb" or "bgr"; and the names of the
    classes. None is for what the metadata may say.

    Raises InputError where only one of ``mean`` and ``std`` is given, or ``resize`` or ``channels`` without them.
    """

    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    labels: Sequence[str] | None = None
    resize: str | int | None = None
    channels: str | None = None

    def __post_init__(self) -> None:
        if (self.mean is None) != (self.std is None):
            raise InputError("mean and std belong together: give both of them, for pixels divided by 255")
        if self.mean is None and (self.resize, self.channels) != (None, None):
            raise InputError("resize and channels go with mean and std: give these, too")
        if self.resize is not None:
            as_way(self.resize)
        if self.channels not in (None, *COLOR):
            raise InputError(f"expected channels in the order {' or '.join(COLOR)}, but got {self.channels!r}")


def find_meaning(found: Meaning, given: Given, *, inputs: Tensors, outputs: Tensors) -> Meaning:
    """What is given, else what was ``found`` in the metadata, of a network with these ``inputs`` and ``outputs``.

    Where mean and deviation are given, the middle of a picture is made to cover the input, unless ``resize`` says
    otherwise. Raises InputError where that cannot be told, and for what does not fit the network.
    """
    return Meaning(find_preprocess(found, given, inputs=inputs), _labels(found, given, outputs))


def find_preprocess(found: Meaning, given: Given, *, inputs: Tensors) -> Preprocess | None:
    """How a picture becomes the input of a network, as far as that is known; raises InputError as ``find_meaning``."""
    if given.mean is not None and given.std is not None:
        name, shape = _picture_input(inputs)
        mean, std = (tuple(values) * shape[1] if len(values) == 1 else values for values in (given.mean, given.std))
        made = Preprocess.covering(shape[1:], mean, std)
        if given.channels is not None and made.channels == "gray":
            raise InputError(f"the input {name!r} is gray and has no order of channels: leave {given.channels!r} out")
        resize, crop = fit_to_input(COVER if given.resize is None else given.resize, made.size)
        return replace(made, input=name, resize=resize, crop=crop, channels=given.channels or made.channels)
    said = found.preprocess
    if said is not None and inputs.get(said.input) != ("uint8" if said.baked else "float32", said.shape):
        raise InputError(
            f"the metadata of the file says how a picture becomes the input {said.input!r} of {_text(said.shape)}, but"
            f" the inputs are {_all(inputs)}: export the network again, or give its mean and std"
        )
    return said


def _picture_input(inputs: Tensors) -> tuple[str, tuple[int, ...]]:
    """The name and the shape of the only input that may be a picture."""
    fitting = [
        (name, shape)
        for name, (dtype, shape) in inputs.items()
        if dtype == "float32" and len(shape) == 4 and shape[0] == 1 and shape[1] in (1, 3)
    ]
    if len(fitting) != 1:
        raise InputError(
            "mean and std are for a network with one input of float32 [1, C, H, W], with C of 1 or 3, but the inputs"
            f" are {_all(inputs)}"
        )
    return fitting[0]


def _labels(found: Meaning, given: Given, outputs: Tensors) -> tuple[str, ...] | None:
    labels = found.labels if given.labels is None else tidy(given.labels)
    counts = {name: prod(shape[1:]) for name, (dtype, shape) in outputs.items() if dtype == "float32"}
    if labels is not None and len(labels) not in counts.values():
        raise InputError(
            f"expected a name for each class, but there are {len(labels)} names, and the outputs are {_all(outputs)}"
        )
    return labels


def _all(tensors: Tensors) -> str:
    return ", ".join(f"{name!r} of {dtype} {_text(shape)}" for name, (dtype, shape) in tensors.items())


def _text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"
