"""What may lie beside the weights in a checkpoint, and the inert objects that are built in its place.

torch.load with weights_only refuses every class but its own. The classes of this list hold plain data, such as the
options of a training. They are not built either: torch is told to build a stand-in for each of them, which keeps what
the file says and runs nothing. So nothing of numpy, of a framework or of a file's own modules is ever called.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any


class StandIn:
    """In place of any object; ``state`` is what the file says of its attributes."""

    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        """Drop the ``arguments``."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    @property
    def is_module(self) -> bool:
        """Whether the object was a torch module, all of which keep their layers under this name."""
        return isinstance(self.state, dict) and "_modules" in self.state and "_parameters" in self.state


class MappingStandIn:
    """In place of dicts of other classes; torch fills only dicts of classes that it knows, such as OrderedDict."""

    def __new__(cls, *arguments: Any) -> Any:
        """An empty OrderedDict, whatever the ``arguments``."""
        return OrderedDict()


class ListStandIn:
    """In place of lists of other classes."""

    def __new__(cls, *arguments: Any) -> Any:
        """An empty list, whatever the ``arguments``."""
        return []


_MAPPINGS = {
    "addict.addict.Dict",
    "builtins.dict",
    "collections.defaultdict",
    "detectron2.config.config.CfgNode",
    "easydict.EasyDict",
    "fvcore.common.config.CfgNode",
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "mmcv.utils.config.ConfigDict",
    "mmengine.config.config.ConfigDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "yacs.config.CfgNode",
}
_LISTS = {"builtins.list", "collections.deque"}
_BUILT_IN = (
    *("bool", "bytearray", "bytes", "complex", "float", "frozenset", "int", "object", "range", "set", "slice", "str"),
    "tuple",
)
_PLAIN = {
    "_codecs.encode",
    "argparse.Namespace",
    *(f"builtins.{name}" for name in _BUILT_IN),
    "collections.Counter",
    "collections.OrderedDict",
    *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
    "decimal.Decimal",
    "fractions.Fraction",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *(f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core")),
    *(f"numpy.{name}" for name in ("bool", "bool_", "dtype", "ndarray")),
    *(f"numpy.{kind}{bits}" for kind in ("float", "int", "uint") for bits in (8, 16, 32, 64)),
    "torch.torch_version.TorchVersion",
    "types.SimpleNamespace",
    "typing.Any",
    "uuid.UUID",
}
_FAMILIES = (  # packages whose classes describe a training; of torch's own, losses, optimizers and schedulers
    "lightning.",
    "lightning_fabric.",
    "mmcv.utils.",
    "mmengine.",
    "numpy.dtypes.",
    "omegaconf.",
    "pathlib.",
    "pytorch_lightning.",
    "torch.",
)


def is_plain(name: str) -> bool:
    """Whether the class or function ``name``, with its module, is in the list."""
    return name in _MAPPINGS or name in _LISTS or name in _PLAIN or name.startswith(_FAMILIES)


def stand_in(name: str) -> type:
    """What is built in place of the class or function ``name``, with its module."""
    return MappingStandIn if name in _MAPPINGS else ListStandIn if name in _LISTS else StandIn


def stand_ins(
    names: Iterable[str], of: Callable[[str], type] = stand_in
) -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """What torch.serialization.safe_globals takes: the stand-in for each name."""
    return [(of(name), name) for name in sorted(names)]
