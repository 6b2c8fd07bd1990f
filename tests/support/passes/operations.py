"""The operations that each function of a network does."""

from __future__ import annotations

from b2nn_tvm.kernel_attrs import OPERATIONS
from b2nn_tvm.relax_query import calls
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network
from tests.support.passes.kernel_functions import kernels


def operations(folder, network: Network) -> list[tuple[str, ...]]:
    """Of the functions that "main" calls, in order."""
    found = kernels(save(folder, network.build())).module
    functions = [found[call.args[0]] for _, call in calls(found["main"])]
    return [tuple(map(str, function.attrs[OPERATIONS])) for function in functions]
