"""Many variants of one network run on the same batches; a part shared with the reference is computed once.

    reference   x -> a -> b -> c -> y        the values in front of the first change are kept, per batch,
    variant     x -> a -> B -> c -> y        and the variant starts from them: B -> c -> y

Batch norms in front of the change see the same values as in the reference, so their re-estimated statistics are equal
to the reference's: the shared start changes no result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import fx, nn

from b2nn_tvm.data.bundle import Batches
from b2nn_tvm.mixbin.conversion.rewire import undo_in_place
from b2nn_tvm.mixbin.network.capture import capture
from b2nn_tvm.mixbin.network.fx_nodes import module_of
from b2nn_tvm.mixbin.network.graph_match import cut, match, overwrites_any
from b2nn_tvm.mixbin.training.loss import Loss, device_of, mean_loss, mean_loss_of
from b2nn_tvm.mixbin.training.reestimate_batchnorm import Norm, averaging, reestimate, tracking_norms

Values = dict[fx.Node, torch.Tensor]


class SharedRuns:
    """Runs of ``reference`` and its variants over ``batches`` (images, labels), in evaluation mode.

    The batch norms of ``reference`` itself are re-estimated on the batches. Variants cost least in the order of their
    first changes; for any other order the reference is computed again from its start.
    """

    def __init__(self, reference: nn.Module, batches: Batches):
        self.reference, self.batches = reference, batches
        self._device = device_of(reference)
        self._shape = tuple(batches[0][0].shape[1:])
        self._graph = _captured(reference, self._shape)
        reestimate(reference, batches)
        self._nodes = list(self._graph.graph.nodes)
        self._order = {node: index for index, node in enumerate(self._nodes)}
        self._last_use = {node: max((self._order[user] for user in node.users), default=-1) for node in self._nodes}
        calls = Counter(node.target for node in self._nodes if isinstance(module_of(node, self._graph), Norm))
        # A batch norm that is called twice averages over both calls; sharing only one of them would change the average.
        self._shares = not overwrites_any(self._graph) and max(calls.values(), default=1) == 1
        self._start_over()

    def loss(self, loss: Loss) -> float:
        """The mean loss of the reference."""
        return mean_loss(self.reference, self.batches, loss=loss)

    def reestimated(self, variant: nn.Module) -> Variant:
        """``variant`` with its batch norms re-estimated on the batches, in place, ready to be run on them."""
        graph = _captured(variant, self._shape)
        matches = match(graph, self._graph) if self._shares else {}
        count = cut(graph, matches, self._graph) if matches and not overwrites_any(graph) else 0
        self._advance(count)
        shared = {node: other for node, other in matches.items() if self._order[other] < count}
        self._copy_statistics(graph, shared)
        anew = [node for node in graph.graph.nodes if node not in shared]
        called = {id(module_of(node, graph)) for node in anew}
        norms = [norm for norm in tracking_norms(graph) if id(norm) in called]
        if norms:
            with averaging(norms), torch.no_grad():
                for (images, _), values in zip(self.batches, self._training, strict=True):
                    self._run(graph, shared, images, values)
        return Variant(self, variant, graph, shared, count)

    def _answers(self, variant: Variant) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        self._advance(variant.count)
        for (images, labels), values in zip(self.batches, self._evaluation, strict=True):
            yield self._run(variant.graph, variant.shared, images, values), labels.to(self._device)

    def _run(
        self, graph: fx.GraphModule, shared: dict[fx.Node, fx.Node], images: torch.Tensor, values: Values
    ) -> torch.Tensor:
        # A node that has a value is not run; a node whose value nobody reads any more gets None.
        known = {node: values.get(other) for node, other in shared.items()}
        outputs: torch.Tensor = fx.Interpreter(graph).run(images.to(self._device), initial_env=known)
        return outputs

    def _start_over(self) -> None:
        """Drop the values of the reference's nodes, kept per batch: with the batch's statistics, and with the running
        ones.
        """
        self._count = 0
        self._training: list[Values] = [{} for _ in self.batches]
        self._evaluation: list[Values] = [{} for _ in self.batches]

    def _advance(self, count: int) -> None:
        """Compute the reference's first ``count`` nodes and keep the values that the others read."""
        if count < self._count:
            self._start_over()
        if count == self._count:
            return
        with torch.no_grad():
            for (images, _), values in zip(self.batches, self._evaluation, strict=True):
                self._continue(images, values, count)
            with _by_batch(tracking_norms(self._graph)):
                for (images, _), values in zip(self.batches, self._training, strict=True):
                    self._continue(images, values, count)
        self._count = count

    def _continue(self, images: torch.Tensor, values: Values, count: int) -> None:
        interpreter = fx.Interpreter(self._graph)
        interpreter.env, interpreter.args_iter = values, iter((images.to(self._device),))
        for index in range(self._count, count):
            node = self._nodes[index]
            values[node] = interpreter.run_node(node)
            for done in (node, *node.all_input_nodes):
                if self._last_use[done] <= index:
                    values.pop(done, None)

    def _copy_statistics(self, graph: fx.GraphModule, shared: dict[fx.Node, fx.Node]) -> None:
        for node, other in shared.items():
            norm, original = module_of(node, graph), module_of(other, self._graph)
            if isinstance(norm, Norm) and isinstance(original, Norm):
                norm.load_state_dict(original.state_dict())


@dataclass(frozen=True)
class Variant:
    """A variant whose first values are the reference's; see SharedRuns."""

    runs: SharedRuns
    model: nn.Module
    graph: fx.GraphModule
    shared: dict[fx.Node, fx.Node]
    count: int

    def answers(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """(outputs, labels) of each batch. Gradients, where they are enabled, reach the part that is not shared."""
        return self.runs._answers(self)

    def loss(self, loss: Loss) -> float:
        """The mean loss of the variant."""
        with torch.no_grad():
            return mean_loss_of(self.answers(), loss)


def _captured(model: nn.Module, shape: tuple[int, ...]) -> fx.GraphModule:
    graph_module = capture(model.eval(), shape)
    undo_in_place(graph_module)
    return graph_module


@contextmanager
def _by_batch(norms: Sequence[Norm]) -> Iterator[None]:
    """Inside this context ``norms`` use each batch's own statistics and leave the running ones as they are."""
    momenta = [norm.momentum for norm in norms]
    counts = [tracked for norm in norms if (tracked := norm.num_batches_tracked) is not None]
    before = [count.clone() for count in counts]
    for norm in norms:
        norm.train()
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.eval()
            norm.momentum = momentum
        for count, earlier in zip(counts, before, strict=True):
            count.copy_(earlier)
