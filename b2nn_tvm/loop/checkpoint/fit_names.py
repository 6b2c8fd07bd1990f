"""Names of a checkpoint's weights become those of the network: module.model.conv1.weight -> conv1.weight.

DataParallel puts module. in front of what it wraps, torch.compile _orig_mod., Lightning the attribute that holds the
network. They may stand in the middle, too (features.module.0.weight), and in the network as well as in the checkpoint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch

from b2nn_tvm.loop.checkpoint.find_weights import ranks

_WRAPPERS = {"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"}
# What some trainings add to a state_dict: counters of batches and averages, thop's counts of operations.
_COUNTERS = {"num_batches_tracked", "n_averaged", "total_ops", "total_params", "_extra_state"}

# What torch.ao.quantization puts into a network to watch values or round them; torch.fx adds a number.
_QUANTIZERS = ("activation_post_process", "weight_fake_quant")


@dataclass(frozen=True)
class FittedNames:
    """``weights`` by the network's names as far as they fit, and the names of all others as they are in the file.

    The names of the network's weights begin with ``prefix`` in the file. ``unknown`` begin so, too, each with what
    follows; those ``outside`` do not, or are of quantizers. ``rivals`` would fit as well in place of ``prefix``, and
    are not worse by name.
    """

    weights: Mapping[str, torch.Tensor]
    prefix: str
    unknown: Mapping[str, str]
    outside: tuple[str, ...]
    rivals: tuple[str, ...] = ()


def fit_names(weights: Mapping[str, torch.Tensor], own: Collection[str]) -> FittedNames:
    """Find for the names of ``weights`` those of ``own`` that they are, whatever wraps the network on either side."""
    bare, short = _unwrapped(own), _unwrapped(weights)
    (removed, *rivals), (added, *_) = _prefixes(short, bare), _prefixes(bare, short)
    if _hits(short, bare, "", added) > _hits(short, bare, removed, ""):
        removed, rivals = "", []
    else:
        added = ""
    fitted: dict[str, torch.Tensor] = {}
    unknown: dict[str, str] = {}
    outside: list[str] = []
    for name, original in short.items():
        if name.startswith(removed) and added + name.removeprefix(removed) in bare:
            fitted[bare[added + name.removeprefix(removed)]] = weights[original]
        elif name.rpartition(".")[2] in _COUNTERS:
            continue
        elif name.startswith(removed) and not any(part.startswith(_QUANTIZERS) for part in name.split(".")):
            unknown[original] = name.removeprefix(removed)
        else:
            outside.append(original)
    return FittedNames(fitted, removed, unknown, tuple(outside), tuple(rivals))


def _unwrapped(names: Collection[str]) -> dict[str, str]:
    """The names without the parts that wrappers add, each with its name as it is; as they are if two become one."""
    found = {".".join(part for part in name.split(".") if part not in _WRAPPERS): name for name in names}
    return found if len(found) == len(names) else {name: name for name in names}


def _prefixes(longer: Collection[str], shorter: Collection[str]) -> list[str]:
    """What stands in front of most names of ``shorter`` in ``longer``; of several the one that is preferred by name.

    None is preferred to any. Several are returned where none of them is preferred.
    """
    votes: Counter[str] = Counter()
    for name in longer:
        parts = name.split(".")
        for depth in range(len(parts)):
            if ".".join(parts[depth:]) in shorter:
                votes[".".join(parts[:depth])] += 1
    most = max(votes.values(), default=0)
    best = [prefix for prefix, count in votes.items() if count == most]
    if not best or "" in best:
        return [""]
    least = min(ranks(prefix.split(".")) for prefix in best)
    return [f"{prefix}." for prefix in best if ranks(prefix.split(".")) == least]


def _hits(names: Collection[str], own: Collection[str], removed: str, added: str) -> int:
    return sum(name.startswith(removed) and added + name.removeprefix(removed) in own for name in names)
