"""The planned seconds of the trainings and scorings of a study, from the time of a training step."""

from __future__ import annotations

from b2nn_tvm.data import DataBundle
from b2nn_tvm.study.cells import Network

OVERHEAD = 1.3  # a training takes this many times its bare steps: Lightning, the optimizer, the teacher


def training_s(network: Network, bundle: DataBundle, epochs: int) -> float:
    """The seconds of a training, with a validation after each epoch and tests before and after it.

    A forward pass is taken for a third of a step.
    """
    checked = (epochs + 2) * len(bundle.val) + 2 * len(bundle.test)
    return network.seconds * (OVERHEAD * epochs * len(bundle.train) + checked / 3)


def scoring_s(network: Network, bundle: DataBundle, method: str, calibration: int) -> float:
    """The rough seconds of a scoring: steps on the ``calibration`` images, and an epoch per layer if it trains."""
    layers = len(network.cost.names)
    steps = {
        "hawq-v2": 200,
        "greedy": layers * layers / 4,
        "greedy-trained": layers * layers / 4,
        "mbq-second-order": 2 * layers,
    }
    trained = len(bundle.train) * layers * OVERHEAD if method == "greedy-trained" else 0
    return network.seconds * (steps.get(method, layers / 2) * calibration + trained)
