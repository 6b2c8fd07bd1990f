"""One search as all its phases see it: the model, its layers, the data, the settings, the state on disk."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from b2nn_tvm.compiler import FLOATS
from b2nn_tvm.costs.options import layer_of, option
from b2nn_tvm.costs.precisions import BINARY_OR_FLOAT
from b2nn_tvm.costs.transitions import Transition
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.mixbin.network.shared_tensors import chains, shared_inputs
from b2nn_tvm.preprocess.labels import tidy
from b2nn_tvm.preprocess.onnx_metadata import Meaning
from b2nn_tvm.progress import Progress
from b2nn_tvm.storage.phase_cache import State

if TYPE_CHECKING:
    import torch

    from b2nn_tvm.data import DataBundle
    from b2nn_tvm.mixbin.network.layers import LayerTable


@dataclass(frozen=True)
class Job:
    """One search; ``model`` is the float network, trained once the first phase is over.

    A job that ``keeps_levels`` never settles the references' times anew: what was chosen by their milliseconds is being
    trained, and stays chosen.
    """

    name: str
    model: torch.nn.Module
    layers: LayerTable
    data: DataBundle
    settings: SearchSettings
    state: State
    progress: Progress
    keeps_levels: bool = False

    @property
    def eligible(self) -> tuple[str, ...]:
        """Names of the layers that may be binarized, in network order."""
        return tuple(self.layers.eligible)

    @cached_property
    def options(self) -> tuple[str, ...]:
        """What layers may become, by the settings' precisions, in network order; see costs.options."""
        words = [word for word in self.settings.selection.precisions if word != "float"]
        return tuple(option(row.name, word) for row in self.layers for word in words if not row.against(word))

    @property
    def is_binary(self) -> bool:
        """Whether layers become binary or stay float, as in the paper, and nothing else."""
        return tuple(self.settings.selection.precisions) == BINARY_OR_FLOAT

    @property
    def choosing(self) -> tuple[str, ...]:
        """Names of the layers that have an option, in network order."""
        return tuple(dict.fromkeys(layer_of(each) for each in self.options))

    @property
    def workloads(self) -> dict[str, str]:
        """Workload keys of the layers that have an option."""
        return {name: self.layers[name].workload.key for name in self.choosing}

    @cached_property
    def transitions(self) -> tuple[Transition, ...]:
        """Costs that layers may share, for the fit to measurements to decide on; their amounts are not known here.

        The signs of a tensor are packed once for all of its binary readers, and so are its codes for quantized ones. A
        float copy of it is kept as soon as one reader is float, or as soon as one of two layers in a row is. A network
        without float layers may be faster than its layers say.
        """
        groups, have = shared_inputs(self.model, self.choosing), set(self.options)
        words = [word for word in self.settings.selection.precisions if word != "float"]
        packed = [
            Transition(readers, word, 0, f"the {word} codes of one tensor are packed")
            for group in groups
            for word in words
            if len(readers := tuple(name for name in group if option(name, word) in have)) > 1
        ]
        copied = [
            Transition(group, "float", 0, "a float copy of a tensor is kept")
            for group in (*groups, *chains(self.model, self.choosing))
        ]
        whole = Transition(self.choosing, "float", 0, "some layer is float")
        return (whole, *packed, *copied)

    def meaning(self, classes: int) -> Meaning:
        """What the data mean to a network with scores for so many ``classes``, the first of which are the data's."""
        names = (*self.data.class_names, *map(str, range(self.data.classes, classes)))
        return Meaning(self.data.preprocess, tidy(names))

    def structure_inputs(self) -> dict[str, Any]:
        """The part of a phase's inputs that decides a network's speed: its structure and shapes, never its weights."""
        shapes = {name: list(tensor.shape) for name, tensor in self.model.state_dict().items()}
        text = (
            repr(self.model)
            + repr(sorted(shapes.items()))
            + repr([(layer.name, layer.workload) for layer in self.layers])
        )
        return {"structure": hashlib.sha256(text.encode()).hexdigest(), "input": list(self.data.input_shape)}

    def deployment_inputs(self) -> dict[str, Any]:
        """The part of a phase's inputs that says for which target, and on which device, times are measured."""
        from b2nn_tvm.targets import target

        deployment = self.settings.deployment
        takes = {} if deployment.input_format == FLOATS else {"takes": deployment.input_format}
        return {
            "target": asdict(target.get(deployment.target)),
            "device": deployment.device,
            "threads": deployment.threads,
            **takes,
        }
