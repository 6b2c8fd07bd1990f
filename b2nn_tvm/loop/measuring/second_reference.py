"""The network beside which others are measured, besides the all-float one, where weights are more than caches hold.

The all-float network then takes its weights from caches that other cores share, or from memory, so that its time
follows how busy those are. The network of the fewest bits takes hardly any. deploy/latency/two_references.py says what
both are for.
"""

from __future__ import annotations

from b2nn_tvm.costs.options import precision_of
from b2nn_tvm.costs.precisions import room
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.build_network import build_network

OWN_CACHE_BYTES = 2 << 20  # a core has hardly anywhere more than this for itself alone


def second_choice(job: Job) -> tuple[str, ...]:
    """The layers that are binary in the second reference, or have the fewest bits that the settings allow; none where
    one reference is enough.
    """
    float_bytes = 4 * sum(job.layers[name].workload.weights for name in job.choosing)
    if float_bytes <= OWN_CACHE_BYTES:
        return ()
    fewest = min(map(precision_of, job.options), key=room)
    return tuple(each for each in job.options if precision_of(each) == fewest)


def second_reference(job: Job) -> Artifact | None:
    """The library of the second reference; None where one reference is enough, or where the compiler leaves one of its
    layers float, so that there is no such network.
    """
    choice = second_choice(job)
    try:
        return build_network(job, choice) if choice else None
    except UnsupportedError:
        return None
