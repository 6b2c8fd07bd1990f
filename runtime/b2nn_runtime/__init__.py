"""Runs networks that b2nn-tvm compiled: ``load(folder).predict(image)``."""

from b2nn_runtime.errors import RuntimeFault
from b2nn_runtime.network import Network, load

__all__ = ["Network", "RuntimeFault", "load"]
