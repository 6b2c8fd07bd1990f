"""The plan of a network: the precision of each layer, and the file plan.json that holds it."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path

from b2nn_tvm.errors import InputError
from b2nn_tvm.storage.document import read_document, write_document
from b2nn_tvm.words.number_of import number_of

KIND, VERSION = "plan", 2
OLDER = (1,)  # has fewer precisions, and is otherwise the same


class Precision(StrEnum):
    """The precision in which a layer computes."""

    FLOAT = "float"
    BINARY = "binary"  # sign of the input and sign of the weights
    WEIGHT_BINARY = "weight-binary"  # float input, sign of the weights
    INT8 = "int8"  # eight bits for the input and for the weights
    W1A2 = "w1a2"  # two bits for the input, sign of the weights
    W2A2 = "w2a2"  # two bits for the input and for the weights


# The precisions whose inputs and weights are whole numbers times scales, which a calibration or a training finds.
QUANTIZED = frozenset({Precision.INT8, Precision.W1A2, Precision.W2A2})


SCHEMA = {
    "type": "object",
    "required": ["model", "method", "budget", "predicted", "unit", "digest", "layers"],
    "properties": {
        "model": {"type": "string"},
        "method": {"type": "string"},
        "budget": {"type": "string"},
        "predicted": {"type": "number"},
        "unit": {"type": "string"},
        "digest": {"type": "string"},
        "conversion": {"type": "object"},
        "certificate": {
            "type": "object",
            "required": ["objective", "bound", "gap", "solver"],
            "properties": {
                "objective": {"type": "number"},
                "bound": {"type": ["number", "null"]},
                "gap": {"type": ["number", "null"]},
                "solver": {"type": "string"},
            },
        },
        "layers": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "precision", "workload"],
                "properties": {
                    "name": {"type": "string"},
                    "precision": {"enum": [precision.value for precision in Precision]},
                    "workload": {"type": "string"},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Certificate:
    """What is proven of a choice of layers: its harm is ``objective``, and no choice within the budgets has less than
    ``bound``.

    ``gap`` is the most that the objective can be above the optimum, 0 if proven optimal. Bound and gap are None for the
    solver "sort", which proves nothing.
    """

    objective: float
    bound: float | None
    gap: float | None
    solver: str


@dataclass(frozen=True, repr=False)
class Plan:
    """One precision per layer, and the origin of this choice.

    ``layers`` maps module names to precisions in network order; ``workloads`` maps them to ConvWorkload keys;
    ``budget`` is the budget in the words of the user; ``predicted`` is the cost the selection expects, in ``unit``;
    ``conversion`` has the options of ``convert`` with which the plan was found; ``certificate`` says what is proven of
    the choice, None where it was not selected by scores.
    """

    layers: Mapping[str, Precision]
    workloads: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    method: str = ""
    budget: str = ""
    predicted: float = 0.0
    unit: str = ""
    conversion: Mapping[str, str | int | bool] = field(default_factory=dict)
    certificate: Certificate | None = None

    def __repr__(self) -> str:
        found = f"{len(self.chosen)} of {number_of(len(self.layers), 'layer')} in fewer bits"
        told = "".join(f", {word}" for word in (self.method, self.budget and f"budget {self.budget}") if word)
        return f"<Plan of {self.model or 'a network'}: {found}{told}>"

    @property
    def binary(self) -> tuple[str, ...]:
        """Names of the fully binary layers, in network order."""
        return tuple(name for name, precision in self.layers.items() if precision == Precision.BINARY)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of the layers that are not float, in network order."""
        return tuple(name for name, precision in self.layers.items() if precision != Precision.FLOAT)

    @property
    def digest(self) -> str:
        """SHA-256 over the layer choice alone: equal plans have equal digests, however they were found."""
        choice = sorted((name, Precision(precision).value) for name, precision in self.layers.items())
        return hashlib.sha256(json.dumps(choice).encode()).hexdigest()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write plan.json."""
        rows = [
            {"name": name, "precision": Precision(precision).value, "workload": self.workloads.get(name, "")}
            for name, precision in self.layers.items()
        ]
        head = {"model": self.model, "method": self.method, "budget": self.budget}
        tail = {"predicted": float(self.predicted), "unit": self.unit, "digest": self.digest}
        body = {**head, **tail, "conversion": dict(self.conversion), "layers": rows}
        if self.certificate is not None:
            body["certificate"] = asdict(self.certificate)
        return write_document(path, KIND, VERSION, body)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Plan:
        """Read plan.json, also of older versions; raises InputError where the file is no plan. An edited ``layers``
        list is taken as it stands.
        """
        document = read_document(path, KIND, VERSION, SCHEMA, older=OLDER)
        listed = Counter(row["name"] for row in document["layers"])
        if twice := [name for name, count in listed.items() if count > 1]:
            raise InputError(f"{path}: expected one precision for each layer, but {twice[0]} is listed more than once")
        proof = document.get("certificate")  # plans of older versions have none
        return cls(
            layers={row["name"]: Precision(row["precision"]) for row in document["layers"]},
            workloads={row["name"]: row["workload"] for row in document["layers"] if row["workload"]},
            conversion=document.get("conversion", {}),
            certificate=None
            if proof is None
            else Certificate(**{each.name: proof[each.name] for each in fields(Certificate)}),
            **{name: document[name] for name in ("model", "method", "budget", "predicted", "unit")},
        )
