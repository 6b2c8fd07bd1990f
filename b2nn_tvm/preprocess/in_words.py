"""A Preprocess in words, for people who prepare a picture by other means."""

from __future__ import annotations

from b2nn_tvm.preprocess.preprocess import Preprocess

_CHANNELS = {"rgb": "red, green, blue", "bgr": "blue, green, red", "gray": "gray"}


def in_words(preprocess: Preprocess) -> str:
    """One sentence: what is done to a picture, and by whom."""
    resize, (height, width) = preprocess.resize, preprocess.size
    of = f"{resize.width}x{resize.height}"
    steps = {
        "stretch": f"it is stretched to {of} pixels",
        "shorter": (
            f"its shorter side becomes {resize.width} pixels long"
            if resize.width == resize.height
            else f"it is resized, in its own ratio, to cover {of} pixels"
        ),
        "none": f"it must have {of} pixels",
    }[resize.mode]
    if preprocess.crop is not None:
        steps += f", its middle of {width}x{height} pixels is taken"
    formula = f"(v / 255 - mean) / std with mean {_list(preprocess.mean)} and std {_list(preprocess.std)}"
    order = f"in the order {_CHANNELS[preprocess.channels]}"
    if preprocess.baked:
        return f"{steps}, and its bytes {order} are the input; the network itself computes {formula}."
    return f"{steps}, and the input is {formula}, {order}."


def _list(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:.6g}" for number in numbers)
