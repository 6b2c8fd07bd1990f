"""The tensors that networks give, and the choice of one."""

from __future__ import annotations

import copy
import pickle
from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.network.capture import capture
from b2nn_tvm.mixbin.network.outputs import named_tensors, output_shapes, take_output

Pair = namedtuple("Pair", "logits aux")


@dataclass
class Answer:
    out: object
    aux: object = None


class Heads(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind, self.body, self.norm = kind, nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.fc, self.aux = nn.Linear(4, 5), nn.Linear(4, 6)

    def forward(self, x):
        x = self.norm(self.body(x)).mean((2, 3))
        y, z = self.fc(x), self.aux(x)
        if self.kind == "training":
            return (y, z) if self.training else y
        makers = {"tuple": lambda: (y, z), "dict": lambda: {"out": y, "aux": [z]}, "named": lambda: Pair(y, z)}
        makers |= {"dataclass": lambda: Answer(y, {"small": z}), "nothing": lambda: None}
        return makers[self.kind]()


NAMES = {"training": [""], "tuple": ["0", "1"], "dict": ["out", "aux.0"], "named": ["logits", "aux"]}
NAMES |= {"dataclass": ["out", "aux.small"]}


@pytest.mark.parametrize(("kind", "names"), NAMES.items())
def test_the_names_and_shapes_of_outputs(kind, names):
    model = Heads(kind)
    assert output_shapes(model, (2, 3, 8, 8)) == dict(zip(names, [(2, 5), (2, 6)]))
    assert model.training
    assert model.norm.num_batches_tracked == 0
    in_training = output_shapes(model, (2, 3, 8, 8), training=True)
    assert list(in_training) == (["0", "1"] if kind == "training" else names)
    assert model.norm.num_batches_tracked == 0


def test_no_tensor_at_all():
    with pytest.raises(InputError, match="Heads gives no tensor while it is trained"):
        output_shapes(Heads("nothing"), (2, 3, 8, 8), training=True)


@pytest.mark.parametrize(("kind", "name", "size"), [("dict", "aux.0", 6), ("tuple", "0", 5), ("training", "", 5)])
def test_one_output_is_taken_in_copies_and_graphs_too(kind, name, size):
    model = Heads(kind)
    take_output(model, name)
    x = torch.randn(2, 3, 8, 8)
    for twin in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model)), capture(model.eval(), (3, 8, 8))):
        assert twin.train()(x).shape == twin.eval()(x).shape == (2, size)
    unused = "fc" if name == "aux.0" else "aux"
    graph = capture(model.eval(), (3, 8, 8))
    assert unused not in [node.target for node in graph.graph.nodes]


def test_tensors_in_anything():
    tensor = torch.zeros(1)
    assert named_tensors(tensor) == {"": tensor}
    assert list(named_tensors({"a": [tensor, None, (tensor,)], 3: tensor})) == ["a.0", "a.2.0", "3"]
    assert named_tensors("text") == {}
