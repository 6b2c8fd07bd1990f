"""The words by which users name what there is, where importing the things themselves takes seconds; and what was meant
by a word that is none of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# The built-in networks that give class scores; methods, rules, solvers and forms of binary layers; built-in data sets.
CLASSIFIERS = ("cresnet20", "resnet18", "bireal18", "mobilenet", "alexnet", "squeezenet", "sketchanet", "vgg_small")
METHODS = (
    *("mixbin-loss", "mixbin-grad", "mixbin-loss-printed-order", "mixbin-grad-printed-order"),
    *("random", "front", "rear", "pseudo-random", "greedy", "greedy-trained"),
    *("bnas-raw", "bnas-per-weight", "bnas-relative", "mbq-first-order", "mbq-second-order", "hawq-v2", "hybrid"),
)
RULES = ("strict", "nearest", "at_least")
SOLVERS = ("exact", "sort")
ORDERS = ("front", "rear", "greedy", "scores", "layer-wise-priority")
BINARIZERS = ("xnor", "distribution-aware")
ACTIVATIONS = ("relu", "prelu", "rprelu", "hardtanh", "leaky_clip", "binrelu")
AUGMENTATIONS = ("none", "flip-crop", "random-resized", "randaugment")
DATA_SETS = ("digits", "shapes", "shapes64")
PRESETS = ("small", "full")
RECIPES = ("quick", "standard", "long")
PRECISION_OF_TIMES = (0.001, 0.5)  # the least and the most share of itself to which a time may be asked for
TRAINING_PRECISIONS = ("auto", "32", "bf16-mixed", "16-mixed")


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """The end of an error, in brackets: whether the name that is like ``word`` was meant; "" where none is like it."""
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[close[0]]}?)" if close else ""


def meant_network(word: str) -> str:
    """The same for the name of a network, which may also be pkg.module:function with a dot in place of the colon."""
    package, dot, name = word.rpartition(".")
    if dot and all(part.isidentifier() for part in word.split(".")):
        return f" (did you mean {package}:{name}?)"
    return did_you_mean(word, CLASSIFIERS)
