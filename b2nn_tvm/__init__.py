"""b2nn-tvm: a network and a budget in milliseconds become a library for the device that keeps the budget."""

import os as _os
from pathlib import Path as _Path
from typing import Any as _Any

# Idle threads of torch spin while they wait, which takes the cores from those that compute, and from what is measured.
# OpenMP reads this once, when torch is imported: so import this package first. What the user says counts.
_os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if (
    _Path(__file__).parent.parent / "schedules"
).is_dir():  # a checkout: schedules/, targets/, deploy/ stand beside the package
    __path__.append(str(_Path(__file__).parent.parent))

from b2nn_tvm.errors import B2nnError
from b2nn_tvm.version import __version__

_PUBLIC = {
    "compile_model": "b2nn_tvm.compiler",
    "load": "b2nn_tvm.deploy.library.artifact",
    "Artifact": "b2nn_tvm.deploy.library.artifact",
    "measure": "b2nn_tvm.deploy.latency.measure",
    "Measurement": "b2nn_tvm.deploy.latency.measure",
    "load_result": "b2nn_tvm.loop.results.load_result",
    "search": "b2nn_tvm.cli.search_with_bars",
    "flops": "b2nn_tvm.mixbin.network.flops",
}
__all__ = ["B2nnError", "__version__", *_PUBLIC]


def __getattr__(name: str) -> _Any:
    """Load a public name on first use: importing the package loads neither torch nor tvm."""
    from importlib import import_module

    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if name == "models":
        return import_module("b2nn_tvm.models")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
